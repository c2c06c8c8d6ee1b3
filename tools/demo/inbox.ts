import { setTimeout as delay } from 'node:timers/promises'
import type { Api } from './api.ts'
import { Surprise } from './surprise.ts'

export interface ReceivedMail {
  id: string
  subject: string
  text: string
}

/** A mail goes through the queue first; on a busy machine that takes a moment. */
const deadlineMs = 30_000
const intervalMs = 150

/** One address's mails, as the mailbox has them. Each mail is read once. */
export class Inbox {
  readonly #mailbox: Api
  readonly #address: string
  readonly #read = new Set<string>()

  constructor(mailbox: Api, address: string) {
    this.#mailbox = mailbox
    this.#address = address
  }

  /** Leaves aside what is there already, from earlier runs. */
  async skipOld(): Promise<void> {
    for (const { id } of await this.#unread()) this.#read.add(id)
  }

  /**
   * Waits for the next mail that fits; others are left for later.
   *
   * @throws {Surprise} when none comes in time.
   */
  async next(what: string, fits: (mail: ReceivedMail) => boolean = () => true): Promise<ReceivedMail> {
    const deadline = Date.now() + deadlineMs
    const others = new Map<string, string>()
    while (Date.now() < deadline) {
      for (const { id } of await this.#unread()) {
        if (others.has(id)) continue
        const mail = await this.#mailbox.call<ReceivedMail>('GET', `/emails/${id}`, { token: 'demo', expect: 200 })
        others.set(id, mail.subject)
        if (!fits(mail)) continue
        this.#read.add(id)
        return mail
      }
      await delay(intervalMs)
    }
    const came = [...others.values()].map((subject) => `"${subject}"`).join(', ') || 'none'
    throw new Surprise(`${what} to ${this.#address} within ${deadlineMs / 1000} s`, came)
  }

  async #unread(): Promise<{ id: string }[]> {
    const { data } = await this.#mailbox.call<{ data: { id: string; to: string[] }[] }>('GET', '/emails?limit=100', {
      token: 'demo',
      expect: 200,
    })
    return data.filter(({ id, to }) => to.includes(this.#address) && !this.#read.has(id))
  }
}

/** The token of the link to a page of Postern, or `undefined` when the mail has no such link. */
export function linkToken(mail: ReceivedMail, publicUrl: string, page: string): string | undefined {
  const start = `${publicUrl}${page}#token=`
  const at = mail.text.indexOf(start)
  return at < 0 ? undefined : /^[\w.~%-]+/.exec(mail.text.slice(at + start.length))?.[0]
}

/** The next mail with a link to `page`, and the token in it. */
export async function nextLink(
  inbox: Inbox,
  what: string,
  publicUrl: string,
  page: string,
): Promise<{ subject: string; token: string }> {
  const mail = await inbox.next(what, (each) => linkToken(each, publicUrl, page) !== undefined)
  return { subject: mail.subject, token: linkToken(mail, publicUrl, page) ?? '' }
}

/** How a step tells which mail it read. */
export function subjectOf({ subject }: { subject: string }): string {
  return `"${subject}"`
}
