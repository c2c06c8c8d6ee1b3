/** The development server of a deployment that asks for challenges, with a stand-in for Turnstile. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from '../../e2e/support/build-pages.ts'
import { DevServer } from '../../e2e/support/dev-server.ts'
import { Challenges } from './challenges.ts'

export class GuardedService {
  readonly challenges: Challenges
  readonly server: DevServer
  readonly #pagesDir: string

  private constructor(challenges: Challenges, server: DevServer, pagesDir: string) {
    this.challenges = challenges
    this.server = server
    this.#pagesDir = pagesDir
  }

  static async start(): Promise<GuardedService> {
    const challenges = new Challenges()
    await challenges.open()
    const pagesDir = await mkdtemp(join(tmpdir(), 'postern-pages-'))
    const siteKey = { TURNSTILE_SITE_KEY: '0x4AAA-site' }
    await build(pagesDir, { ...siteKey, TURNSTILE_SCRIPT_URL: `${challenges.origin}/api.js` })
    const server = await DevServer.start({
      ...siteKey,
      PAGES_DIR: pagesDir,
      TURNSTILE_SECRET: 'a secret',
      TURNSTILE_URL: `${challenges.origin}/siteverify`,
    })
    return new GuardedService(challenges, server, pagesDir)
  }

  /** Somebody tries three wrong passwords without a challenge. After that a sign-in asks for one. */
  async guess(email: string): Promise<void> {
    for (const password of ['one wrong guess', 'two wrong guess', 'three wrong guess']) {
      await fetch(`${this.server.origin}/auth/login`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ email, password }),
      })
    }
  }

  async stop(): Promise<void> {
    await this.server.stop()
    await this.challenges.close()
    await rm(this.#pagesDir, { recursive: true, force: true })
  }
}
