/**
 * Drives a stock Firefox over WebDriver BiDi (https://w3c.github.io/webdriver-bidi/). Playwright's own BiDi driver sends
 * commands that the extended support release does not know, and its `firefox` is a patched build.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { NoAnswerError, Tab } from './firefox-tab.ts'

const path = process.env.FIREFOX_PATH ?? '/usr/bin/firefox-esr'
const timeoutMs = 30_000
/** On a busy machine Firefox takes long to start. */
const startTimeoutMs = 150_000

interface Reply {
  id?: number
  method?: string
  params?: { level?: string; text?: string }
  result?: unknown
  error?: string
  message?: string
}

export class Firefox {
  readonly #process: ChildProcess
  readonly #profile: string
  readonly #socket: WebSocket
  readonly #waiting = new Map<number, (reply: Reply) => void>()
  #lastId = 0
  /** Script errors of all pages. */
  readonly complaints: string[] = []

  private constructor(process: ChildProcess, profile: string, socket: WebSocket) {
    this.#process = process
    this.#profile = profile
    this.#socket = socket
    socket.addEventListener('message', ({ data }) => this.#hear(JSON.parse(String(data)) as Reply))
  }

  static async launch(preferences: Record<string, number | boolean> = {}): Promise<Firefox> {
    const profile = mkdtempSync(join(tmpdir(), 'postern-firefox-'))
    const lines = Object.entries(preferences).map(([name, value]) => `user_pref("${name}", ${value});\n`)
    writeFileSync(join(profile, 'user.js'), lines.join(''))
    const options = ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port', '0']
    const process = spawn(path, options, { stdio: ['ignore', 'ignore', 'pipe'] })
    try {
      const socket = new WebSocket(`${await addressOf(process)}/session`)
      await new Promise((resolve, reject) => {
        socket.addEventListener('open', resolve)
        socket.addEventListener('error', reject)
      })
      const firefox = new Firefox(process, profile, socket)
      await firefox.send('session.new', { capabilities: {} }, startTimeoutMs)
      await firefox.send('session.subscribe', { events: ['log.entryAdded'] })
      return firefox
    } catch (error) {
      process.kill()
      throw error
    }
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve))
    await this.send('browser.close', {})
    await ended
    rmSync(this.#profile, { recursive: true, force: true })
  }

  /** What tabs have in common: cookies and storage. */
  async newProfile(): Promise<string> {
    const { userContext } = await this.send<{ userContext: string }>('browser.createUserContext', {})
    return userContext
  }

  /** Opens a tab, without `profile` in a profile of its own. */
  async openTab(origin: string, profile?: string): Promise<Tab> {
    const userContext = profile ?? (await this.newProfile())
    const { context } = await this.send<{ context: string }>('browsingContext.create', { type: 'tab', userContext })
    return new Tab((method, params, limitMs) => this.send(method, params, limitMs), context, origin)
  }

  async send<T>(method: string, params: object, limitMs = timeoutMs): Promise<T> {
    const id = ++this.#lastId
    const reply = await new Promise<Reply>((resolve, reject) => {
      const timer = setTimeout(() => reject(new NoAnswerError(`${method}: no answer in ${limitMs} ms`)), limitMs)
      this.#waiting.set(id, (answer) => {
        clearTimeout(timer)
        resolve(answer)
      })
      this.#socket.send(JSON.stringify({ id, method, params }))
    })
    if (reply.error) throw new Error(`${method}: ${reply.error}: ${reply.message}`)
    return reply.result as T
  }

  #hear(reply: Reply): void {
    if (reply.method === 'log.entryAdded' && reply.params?.level === 'error') {
      this.complaints.push(reply.params.text ?? '')
    }
    if (reply.id === undefined) return
    this.#waiting.get(reply.id)?.(reply)
    this.#waiting.delete(reply.id)
  }
}

/** Reads the address from what the browser prints once it listens. */
function addressOf(process: ChildProcess): Promise<string> {
  let said = ''
  return new Promise((resolve, reject) => {
    process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text
      const address = /WebDriver BiDi listening on (ws:\S+)/.exec(said)?.[1]
      if (address) resolve(address)
    })
    process.once('error', reject)
    process.once('exit', () => reject(new Error(`${path} ended:\n${said}`)))
  })
}
