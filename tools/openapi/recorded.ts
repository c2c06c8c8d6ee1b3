/** One real call of each operation with its answer and its curl command, recorded by test/reference. */
import type { Json } from './json.ts'
import text from './recorded.json' with { type: 'json' }

interface Recording {
  curl: string
  request?: Json
  status: number
  answer?: Json
}

/**
 * Undefined for a new operation: nothing can be recorded before the document and the types of its client have it. Until
 * then it says what to do, and test/reference fails.
 */
export function recordingOf(operationId: string): Recording | undefined {
  const recording = (text as Record<string, Recording>)[operationId]
  if (!recording) {
    console.warn(`${operationId} has no example: add it to test/reference/story.ts and run \`npm run examples\`.`)
  }
  return recording
}
