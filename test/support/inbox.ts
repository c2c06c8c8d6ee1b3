/** The emails that people get. */
import { expect } from 'vitest'
import type { Service } from './service.ts'

type Recipient = string | { email: string }
type Subject = { subject: string }

export type Inbox = ReturnType<typeof inboxOf>

export function inboxOf(service: Service) {
  const addressOf = (to: Recipient) => (typeof to === 'string' ? to : to.email)
  /** The emails to an address, newest first. */
  const all = (to: Recipient) => service.mailbox.mails().filter((mail) => mail.to.includes(addressOf(to)))
  /** The newest email to an address. */
  const newest = (to: Recipient) => {
    const [mail] = all(to)
    expect(mail, `an email to ${addressOf(to)}`).toBeDefined()
    return mail!
  }
  return {
    all,
    newest,
    subjects: (to: Recipient) => all(to).map(({ subject }: Subject) => subject),
    /** The token of the link in the newest email to an address. */
    linkToken: (to: Recipient) => linkTokenIn(newest(to)),
    /** The code for a first factor in the newest email to an address. */
    mailCode: (to: Recipient) => {
      const code = /^Code: (\d{8})$/m.exec(newest(to).text ?? '')?.[1]
      expect(code, 'a code in the email').toBeDefined()
      return code!
    },
  }
}

/** The token of the link in an email. It is in the fragment, which no server logs. */
export function linkTokenIn(mail: { text?: string | null }): string {
  const token = /#token=([A-Za-z0-9._-]+)/.exec(mail.text ?? '')?.[1]
  expect(token, 'a link in the email').toBeDefined()
  return token!
}
