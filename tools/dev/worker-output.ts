import { stripVTControlCharacters } from 'node:util'

/** Lines that wrangler prints about itself. The screen of `npm run dev` and the Worker's request log replace them. */
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
  /^\s*curl "http:\/\/(?:127\.0\.0\.1|localhost):\d+\/cdn-cgi\//,
  /^\s*For more details, see .*cron-triggers/,
]

/**
 * Filters one line of wrangler's output. `--log-level` cannot do this: it hides the Worker's log lines as well.
 *
 * @returns the line to print, or `undefined` for noise.
 */
export function worthShowing(rawLine: string): string | undefined {
  // wrangler prints colors even with FORCE_COLOR=0.
  const line = stripVTControlCharacters(rawLine).trimEnd()
  if (noise.some((pattern) => pattern.test(line))) return undefined
  // wrangler decorates `console.error` and `console.warn`; the JSON inside is the log line.
  return /^(?:\S+ )?\[(?:ERROR|WARNING)\] (\{.*\})$/.exec(line)?.[1] ?? line
}
