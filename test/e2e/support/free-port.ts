import { serveLocally } from '../../../tools/local-http.ts'

/** A port that nothing listens on. */
export async function freePort(): Promise<number> {
  const probe = await serveLocally(() => {})
  await probe.stop()
  return Number(new URL(probe.url).port)
}
