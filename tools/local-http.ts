import { once } from 'node:events'
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface LocalHttp {
  url: string
  stop: () => Promise<void>
}

type Listener = (request: IncomingMessage, response: ServerResponse) => Promise<void> | void

/**
 * Serves HTTP to this machine only. Port 0 picks a free one. A listener that fails ends the process, as it should here.
 */
export async function serveLocally(listener: Listener, port = 0): Promise<LocalHttp> {
  const server = createServer((request, response) => void listener(request, response))
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
