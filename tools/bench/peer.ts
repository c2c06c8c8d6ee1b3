import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Stop } from '../command.ts'
import type { Client } from './load.ts'
import { HttpConnection } from './http-connection.ts'
import { getRequest, postRequest } from './requests.ts'

const folder = join(import.meta.dirname, 'peer')

/** The Worker of the peer, for esbuild. */
export const peerEntry = 'tools/bench/peer/worker.js'

/** Installs what the peer needs in its own folder, unless the version of its lock file is there. */
export function installPeer(): void {
  const installed = join(folder, 'node_modules/better-auth/package.json')
  if (existsSync(installed) && versionIn(installed) === pinned()) return
  console.log('Installing Better Auth in tools/bench/peer …')
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder, stdio: 'inherit' })
}

function pinned(): string | undefined {
  const { dependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
  }
  return dependencies['better-auth']
}

function versionIn(path: string): string {
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version
}

/** Clients that look their sessions up. */
export async function peerClients(port: number): Promise<Client[]> {
  const connection = await HttpConnection.open(port)
  try {
    const { status, body } = await connection.send(postRequest('/prepare', {}))
    if (status !== 200) throw new Stop(`Better Auth does not start: ${status} ${body}`)
    const cookies = JSON.parse(body) as string[]
    return cookies.map((cookie) => {
      const request = getRequest('/api/auth/get-session', { Cookie: cookie })
      return { next: () => request }
    })
  } finally {
    connection.close()
  }
}
