/**
 * Drives a stock Firefox over WebDriver BiDi (https://w3c.github.io/webdriver-bidi/). Playwright's own BiDi driver sends
 * commands that the extended support release does not know, and its `firefox` is a patched build.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../../e2e/support/command-process.ts'

const path = process.env.FIREFOX_PATH ?? '/usr/bin/firefox-esr'
/** Firefox needs most of this to start, on a busy machine. */
const timeoutMs = 60_000
/** A search that meets a navigation may never be answered, and is then repeated. */
const searchTimeoutMs = 3_000

class NoAnswerError extends Error {}

interface Reply {
  id?: number
  method?: string
  params?: { level?: string; text?: string }
  result?: unknown
  error?: string
  message?: string
}
interface Node {
  sharedId: string
}
interface Evaluation {
  type: 'success' | 'exception'
  result: { value?: unknown }
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

  static async launch(): Promise<Firefox> {
    const profile = mkdtempSync(join(tmpdir(), 'postern-firefox-'))
    const options = ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port', '0']
    const process = spawn(path, options, { stdio: ['ignore', 'ignore', 'pipe'] })
    try {
      const socket = new WebSocket(`${await addressOf(process)}/session`)
      await new Promise((resolve, reject) => {
        socket.addEventListener('open', resolve)
        socket.addEventListener('error', reject)
      })
      const firefox = new Firefox(process, profile, socket)
      await firefox.send('session.new', { capabilities: {} })
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

  /** Opens a tab with cookies and storage of its own. */
  async openTab(origin: string): Promise<Tab> {
    const { userContext } = await this.send<{ userContext: string }>('browser.createUserContext', {})
    const { context } = await this.send<{ context: string }>('browsingContext.create', { type: 'tab', userContext })
    return new Tab(this, context, origin)
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

/** A tab whose elements are found by their names, and which gets real input events. */
export class Tab {
  readonly #firefox: Firefox
  readonly #context: string
  readonly #origin: string

  constructor(firefox: Firefox, context: string, origin: string) {
    this.#firefox = firefox
    this.#context = context
    this.#origin = origin
  }

  async goto(path: string): Promise<void> {
    const url = this.#origin + path
    await this.#firefox.send('browsingContext.navigate', { context: this.#context, url, wait: 'complete' })
  }

  async seesHeading(name: string): Promise<void> {
    await this.#find({ type: 'accessibility', value: { role: 'heading', name } })
  }

  async seesText(text: string): Promise<void> {
    await this.#find({ type: 'xpath', value: `//*[text()[contains(normalize-space(), "${text}")]]` })
  }

  async fill(label: string, text: string): Promise<void> {
    const field = await this.#field(label)
    await this.#call('(field) => { field.focus(); field.select() }', [field])
    const value = Array.from(text, (key) => [
      { type: 'keyDown', value: key },
      { type: 'keyUp', value: key },
    ]).flat()
    await this.#perform([{ type: 'key', id: 'keyboard', actions: value }])
  }

  async press(role: 'button' | 'link', name: string): Promise<void> {
    const element = await this.#find({ type: 'accessibility', value: { role, name } })
    await this.#call('(element) => element.scrollIntoView({ block: "center" })', [element])
    const move = { type: 'pointerMove', x: 0, y: 0, origin: { type: 'element', element } }
    const actions = [move, { type: 'pointerDown', button: 0 }, { type: 'pointerUp', button: 0 }]
    await this.#perform([{ type: 'pointer', id: 'mouse', actions }])
  }

  async valueOf(label: string): Promise<unknown> {
    const field = await this.#field(label)
    return this.#call('(field) => field.value', [field])
  }

  /** By its label, because a password field has no role in HTML-AAM. */
  #field(label: string): Promise<Node> {
    return this.#find({ type: 'xpath', value: `//input[@id = //label[normalize-space() = "${label}"]/@for]` })
  }

  async #find(locator: object): Promise<Node> {
    let found: Node | undefined
    const search = async () => {
      found = await this.#search(locator)
      return found !== undefined
    }
    await until(search, JSON.stringify(locator), timeoutMs)
    return found!
  }

  async #search(locator: object): Promise<Node | undefined> {
    const params = { context: this.#context, locator, maxNodeCount: 1 }
    try {
      const { nodes } = await this.#firefox.send<{ nodes: Node[] }>(
        'browsingContext.locateNodes',
        params,
        searchTimeoutMs,
      )
      return nodes[0]
    } catch (error) {
      if (error instanceof NoAnswerError) return undefined
      throw error
    }
  }

  async #call(functionDeclaration: string, nodes: Node[]): Promise<unknown> {
    const answer = await this.#firefox.send<Evaluation>('script.callFunction', {
      functionDeclaration,
      arguments: nodes.map(({ sharedId }) => ({ sharedId })),
      target: { context: this.#context },
      awaitPromise: true,
    })
    return answer.result.value
  }

  async #perform(actions: object[]): Promise<void> {
    await this.#firefox.send('input.performActions', { context: this.#context, actions })
    await this.#firefox.send('input.releaseActions', { context: this.#context })
  }
}
