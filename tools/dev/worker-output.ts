import { withoutColour } from '../wrangler.ts'

/** What wrangler says about itself; the screen of `npm run dev` says it better, and the Worker logs its requests itself. */
const noise = [
  /^$/,
  /^\[wrangler:info\]/,
  /^⎔/,
  /^🪵/u,
  /^Cloudflare collects anonymous telemetry/,
  /^Using secrets defined in/,
  /^Your Worker has access to the following bindings/,
  /^Binding\s+Resource/,
  /^env\.\w+ /,
  /Scheduled Workers are not automatically triggered/,
  /^\s*To manually trigger a scheduled event/,
  /^\s*curl "http:\/\/127\.0\.0\.1:\d+\/cdn-cgi\//,
  /^\s*For more details, see .*cron-triggers/,
]

/**
 * What of one line of wrangler's output is worth showing: the Worker's log lines and whatever went wrong.
 *
 * @returns `undefined` for the rest.
 */
export function worthShowing(rawLine: string): string | undefined {
  const line = withoutColour(rawLine).trimEnd()
  if (noise.some((pattern) => pattern.test(line))) return undefined
  // `console.error` and `console.warn` come decorated; the JSON in it is the log line.
  return /^(?:\S+ )?\[(?:ERROR|WARNING)\] (\{.*\})$/.exec(line)?.[1] ?? line
}
