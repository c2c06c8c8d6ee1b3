import { once } from 'node:events'
import { createServer } from 'node:net'
import { Stop } from '../command.ts'

/** @throws {Stop} when the port cannot be used, with the variable that selects another one. */
export async function requireFreePort(port: number, variable: string): Promise<void> {
  const probe = createServer()
  try {
    await once(probe.listen(port, '127.0.0.1'), 'listening')
    await probe[Symbol.asyncDispose]()
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const reason =
      code === 'EADDRINUSE' ? 'is in use. Stop the program that uses it' : `cannot be used (${code ?? message})`
    throw new Stop(`Port ${port} ${reason}, or choose another port: ${variable}=${port + 100} npm run dev`)
  }
}
