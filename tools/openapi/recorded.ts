/** One real call of each operation, recorded by test/reference: what was sent, by which curl line, and what was answered. */
import type { Json } from './json.ts'
import text from './recorded.json' with { type: 'json' }

interface Recording {
  curl: string
  request?: Json
  status: number
  answer?: Json
}

/** @throws {Error} for an operation that nobody has recorded; a static file never reaches the service */
export function recordingOf(operationId: string): Recording {
  const recording = (text as Record<string, Recording>)[operationId]
  if (!recording) throw new Error(`Tell ${operationId} in test/reference/story.ts and run \`npm run examples\`.`)
  return recording
}
