/** The contact that an operator names for all emails. */
import { describe, expect, it } from 'vitest'
import { renderEmail } from '../../emails/render.ts'
import { brand, samples } from './samples.ts'

const messages = Object.values(samples)
const naming = [
  'account_suspended',
  'account_deleted',
  'role_changed',
  'factor_added',
  'factor_removed',
  'passkey_doubted',
  'passkey_renamed',
  'recovery_codes_renewed',
  'recovery_code_used',
  'factors_reset',
]

describe.each(messages)('the email $template', (message) => {
  it('tells nobody to get in touch when there is no contact', () => {
    const { html, text } = renderEmail(message, brand)
    for (const part of [html, text]) expect(part).not.toMatch(/contact|let us know|people who run|mailto:/i)
  })

  it.for([
    { contact: 'mailto:help@example.com', shown: 'help@example.com' },
    { contact: 'https://help.example.com/?a=1&b=%3C', shown: 'https://help.example.com/?a=1&b=%3C' },
  ])('names $contact where people may have to ask, and only there', ({ contact, shown }) => {
    const { html, text } = renderEmail(message, { ...brand, supportUrl: contact })
    const isNamed = naming.includes(message.template)
    expect(text.includes(`\nContact Postern: ${shown}\n`)).toBe(isNamed)
    expect(html.includes(`href="${contact.replaceAll('&', '&amp;')}">Contact Postern</a>`)).toBe(isNamed)
  })
})
