import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { CommandProcess, until } from './command-process.ts'
import { freePort } from './free-port.ts'
import { prepareState } from './prepare.ts'
import { descendantsOf, runningOf } from './process-tree.ts'

export interface Credentials {
  email: string
  password: string
}

/** The real `npm run dev` on free ports, with an empty database. */
export class DevServer {
  readonly #process: CommandProcess
  readonly #stateDir: string
  readonly #mailbox: string
  readonly port: number
  readonly origin: string

  private constructor(port: number, mailboxPort: number, stateDir: string, variables: Record<string, string>) {
    this.#stateDir = stateDir
    this.port = port
    this.origin = `http://localhost:${port}`
    this.#mailbox = `http://localhost:${mailboxPort}/emails`
    const env = { ...variables, PORT: String(port), MAILBOX_PORT: String(mailboxPort), STATE_DIR: stateDir }
    this.#process = new CommandProcess('tools/dev.ts', env)
  }

  static async start(variables: Record<string, string> = {}): Promise<DevServer> {
    const server = new DevServer(await freePort(), await freePort(), await prepareState(), variables)
    await server.#process.untilSaid('Postern runs.')
    return server
  }

  async stop(): Promise<void> {
    await stopCleanly(this.#process, 'SIGTERM')
    await rm(this.#stateDir, { recursive: true, force: true })
  }

  /** Registers an account and returns the token of the emailed link. */
  async register({ email, password }: Credentials): Promise<string> {
    await this.#post('/auth/register', { email, password })
    return this.mailedToken(email)
  }

  /**
   * Waits for the token of the link in the newest email to an address.
   *
   * @param known the token of an earlier email, which is not the one to wait for
   */
  async mailedToken(email: string, known?: string): Promise<string> {
    let token: string | undefined
    await until(
      async () => ![undefined, known].includes((token = await this.#newestToken(email))),
      `an email to ${email}`,
    )
    return token ?? ''
  }

  /** Makes an active account. Returns the used token of the activation email. */
  async signUp(credentials: Credentials): Promise<string> {
    const token = await this.register(credentials)
    await this.#post('/auth/activate', { token, password: credentials.password })
    return token
  }

  /** Begins a session of an active account on another device. */
  async signIn(credentials: Credentials): Promise<void> {
    await this.accessToken(credentials)
  }

  async accessToken(credentials: Credentials): Promise<string> {
    const answer = (await this.#post('/auth/login', credentials)) as { access_token: string }
    return answer.access_token
  }

  /** Changes the own profile as another client of the API would. */
  async changeProfile(token: string, profile: object): Promise<void> {
    await this.#send('PATCH', '/users/me', { body: profile, token })
  }

  me(token: string): Promise<unknown> {
    return this.#send('GET', '/users/me', { token })
  }

  /** Waits for the newest email to an address that contains `pattern`. Returns its first group. */
  async mailed(email: string, pattern: RegExp): Promise<string> {
    let found: string | undefined
    await until(async () => {
      found = pattern.exec((await this.#newestText(email)) ?? '')?.[1]
      return found !== undefined
    }, `an email to ${email} with ${pattern}`)
    return found ?? ''
  }

  async #newestToken(email: string): Promise<string | undefined> {
    return /#token=([\w.-]+)/.exec((await this.#newestText(email)) ?? '')?.[1]
  }

  async #newestText(email: string): Promise<string | undefined> {
    const { data } = await this.#read<{ data: { id: string; to: string[] }[] }>(this.#mailbox)
    const mail = data.find(({ to }) => to.includes(email))
    if (!mail) return undefined
    return (await this.#read<{ text: string }>(`${this.#mailbox}/${mail.id}`)).text
  }

  async #read<T>(url: string): Promise<T> {
    return (await (await fetch(url, { headers: { authorization: 'Bearer x' } })).json()) as T
  }

  #post(path: string, body: object): Promise<unknown> {
    return this.#send('POST', path, { body })
  }

  async #send(method: string, path: string, { body, token }: { body?: object; token?: string }): Promise<unknown> {
    const headers = { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) }
    const answer = await fetch(this.origin + path, { method, headers, ...(body && { body: JSON.stringify(body) }) })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status} ${text}`)
    return text === '' ? undefined : JSON.parse(text)
  }
}

/** Sends a signal and checks that the command ends without an error and leaves no process behind. */
export async function stopCleanly(command: CommandProcess, signal: NodeJS.Signals): Promise<void> {
  const children = descendantsOf(command.pid)
  command.signal(signal)
  assert.equal(await command.exitCode(), 0, command.output)
  assert.deepEqual(runningOf(children), [])
}
