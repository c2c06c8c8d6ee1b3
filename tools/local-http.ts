import { once } from 'node:events'
import { type RequestListener, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface LocalHttp {
  url: string
  stop: () => Promise<void>
}

/** Serves HTTP to this machine only. Port 0 picks a free one. */
export async function serveLocally(listener: RequestListener, port = 0): Promise<LocalHttp> {
  const server = createServer(listener)
  await once(server.listen(port, '127.0.0.1'), 'listening')
  const address = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${address.port}`,
    async stop() {
      const closed = once(server, 'close')
      server.close()
      // Browsers keep idle connections open, for which `close` would wait.
      server.closeAllConnections()
      await closed
    },
  }
}
