/** The back button restores a page from memory, which has heard nothing meanwhile. */
import { afterEach, expect, it, vi } from 'vitest'
import type { Change } from '../../client/src/changes.ts'
import { type Browser, email, signedIn, url } from './browser.ts'

afterEach(() => {
  vi.unstubAllGlobals()
  vi.resetModules()
})

/** A client of a page that was loaded in a browser, and what the browser calls when it shows the page again. */
async function openPage(browser: Browser) {
  const listeners = new Set<(event: { persisted: boolean }) => void>()
  vi.stubGlobal('document', {})
  vi.stubGlobal(
    'addEventListener',
    (type: string, listener: () => void) => type === 'pageshow' && listeners.add(listener),
  )
  vi.stubGlobal('removeEventListener', (_: string, listener: () => void) => listeners.delete(listener))
  vi.resetModules()
  const { createClient } = await import('../../client/src/client.ts')
  const now = () => browser.service.clock.now().getTime()
  const client = createClient({ url, storage: browser.storage, fetch: browser.fetch, now, shared: false })
  const changes: Change[] = []
  client.onChange((change) => changes.push(change))
  await client.restore()
  const show = (persisted: boolean) => listeners.forEach((listener) => listener({ persisted }))
  return { client, show, reasons: () => changes.map(({ reason }) => reason) }
}

it('a restored page learns of the sign-out that it has missed', async () => {
  const { browser, client: other } = await signedIn()
  const page = await openPage(browser)
  expect(page.client.user).toMatchObject({ email })
  await other.signOut()
  page.show(true)
  await vi.waitFor(() => expect(page.reasons()).toEqual(['restored', 'signed_out']))
})

it('a page that was loaded again reads nothing, and a closed client learns nothing', async () => {
  const { browser, client: other } = await signedIn()
  const closed = await openPage(browser)
  closed.client.close()
  const [loaded, restored] = [await openPage(browser), await openPage(browser)]
  await other.signOut()
  closed.show(true)
  loaded.show(false)
  restored.show(true)
  await vi.waitFor(() => expect(restored.reasons()).toEqual(['restored', 'signed_out']))
  for (const { reasons } of [closed, loaded]) expect(reasons()).toEqual(['restored'])
})
