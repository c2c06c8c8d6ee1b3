/** The dataset of the metrics, which a deployment may do without. Cloudflare makes it at the first write. */
import { readFileSync } from 'node:fs'
import { Stop } from '../command.ts'
import { uncomment } from './wrangler-toml.ts'

const bound = /^\[\[analytics_engine_datasets\]\]\nbinding = "METRICS"$/m
const commentedOut = /^# \[\[analytics_engine_datasets\]\]\n# binding = "METRICS"\n# dataset = "[^"\n]+"$/m

/**
 * Whether wrangler.toml still lacks the binding METRICS.
 *
 * @throws {Stop} when it is not even there behind "#"
 */
export function lacksMetrics(toml: string): boolean {
  const text = readFileSync(toml, 'utf8')
  if (bound.test(text)) return false
  if (!commentedOut.test(text)) throw new Stop(`${toml} has no dataset for METRICS, not even behind "#".`)
  return true
}

/** Takes the "#" off the lines of the binding. */
export function bindMetrics(toml: string): void {
  uncomment(toml, commentedOut)
}
