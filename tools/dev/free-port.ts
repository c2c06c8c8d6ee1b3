import { createServer } from 'node:net'
import { Stop } from '../stop.ts'

/** @throws {Stop} naming the variable that moves the port, when something listens there already. */
export async function requireFreePort(port: number, variable: string): Promise<void> {
  const error = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
    const probe = createServer()
    probe.once('error', resolve)
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(undefined)))
  })
  if (error?.code === 'EADDRINUSE') {
    throw new Stop(
      `Port ${port} is in use. Stop what runs there, or choose another one: ${variable}=${port + 100} npm run dev`,
    )
  }
  if (error)
    throw new Stop(`Port ${port} cannot be used (${error.code ?? error.message}). Choose another one with ${variable}.`)
}
