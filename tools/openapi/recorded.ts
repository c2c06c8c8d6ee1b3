/** One real call of each operation with its answer and its curl command, recorded by test/reference. */
import type { Json } from './json.ts'
import text from './recorded.json' with { type: 'json' }

interface Recording {
  curl: string
  request?: Json
  status: number
  answer?: Json
}

/** @throws {Error} for an operation without a recording. Static files have none: they never reach the service. */
export function recordingOf(operationId: string): Recording {
  const recording = (text as Record<string, Recording>)[operationId]
  if (!recording) throw new Error(`Add ${operationId} to test/reference/story.ts and run \`npm run examples\`.`)
  return recording
}
