import { setTimeout as delay } from 'node:timers/promises'
import type { Api } from './api.ts'
import { Surprise } from './surprise.ts'

export interface ReceivedMail {
  id: string
  subject: string
  text: string
}

/** On a busy machine the queue may take a while to deliver an email. */
const deadlineMs = 30_000
const intervalMs = 150

/** The emails of one address in the mailbox. Each is read once. */
export class Inbox {
  readonly #mailbox: Api
  readonly #address: string
  readonly #read = new Set<string>()

  constructor(mailbox: Api, address: string) {
    this.#mailbox = mailbox
    this.#address = address
  }

  /** Ignores the emails of earlier runs. */
  async skipOld(): Promise<void> {
    for (const { id } of await this.#unread()) this.#read.add(id)
  }

  /**
   * Waits for the next email that fits, and leaves others for later.
   *
   * @throws {Surprise} when none arrives within 30 seconds.
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

/** The token of the link to a page of Postern, or `undefined` when the email has no such link. */
export function linkToken(mail: ReceivedMail, publicUrl: string, page: string): string | undefined {
  const start = `${publicUrl}${page}#token=`
  const at = mail.text.indexOf(start)
  return at < 0 ? undefined : /^[\w.~%-]+/.exec(mail.text.slice(at + start.length))?.[0]
}

/** Waits for the next email with a link to `page` and returns the token of the link. */
export async function nextLink(
  inbox: Inbox,
  what: string,
  publicUrl: string,
  page: string,
): Promise<{ subject: string; token: string }> {
  const mail = await inbox.next(what, (each) => linkToken(each, publicUrl, page) !== undefined)
  return { subject: mail.subject, token: linkToken(mail, publicUrl, page) ?? '' }
}

/** Tells which email a step read. */
export function subjectOf({ subject }: { subject: string }): string {
  return `"${subject}"`
}
