import { DatabaseSync } from 'node:sqlite'
import { demoAdmin } from '../demo/demo-admin.ts'
import { localDatabase } from '../dev/database.ts'
import { HttpConnection } from './http-connection.ts'
import { postRequest } from './requests.ts'
import { Stop } from '../command.ts'

/** The answer to a sign-in, as far as later calls need it. */
export interface SignedIn {
  access_token: string
  refresh_token: string
  device_token: string
  user: { id: string }
}

/** People of the seeded database who can sign in. */
export class People {
  readonly #emails: string[]

  constructor(stateDir: string) {
    using database = new DatabaseSync(localDatabase(stateDir), { readOnly: true })
    const rows = database.prepare('SELECT email FROM users WHERE status = 1 AND role = 0 ORDER BY id').all()
    this.#emails = rows.map(({ email }) => String(email))
  }

  async signInMany(port: number, count: number): Promise<(SignedIn & { email: string })[]> {
    const sessions = []
    for (let place = 0; place < count; place++) sessions.push(await this.signIn(port))
    return sessions
  }

  /** Signs in a person whom no other call gets. */
  async signIn(port: number): Promise<SignedIn & { email: string }> {
    const email = this.#emails.pop()
    if (email === undefined) throw new Stop('There are too few people.')
    const connection = await HttpConnection.open(port)
    try {
      const { status, body } = await connection.send(signInRequest(email))
      if (status !== 200) throw new Stop(`The sign-in of ${email}: ${status} ${body}`)
      return { email, ...(JSON.parse(body) as SignedIn) }
    } finally {
      connection.close()
    }
  }
}

/** Everybody has the same password. */
export function signInRequest(email: string, deviceToken?: string): string {
  return postRequest('/auth/login', { email, password: demoAdmin.password, device_token: deviceToken })
}
