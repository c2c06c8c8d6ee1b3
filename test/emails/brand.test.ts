/** What an operator sets for all emails: the contact, and the colors of `web/brand.json`. */
import { describe, expect, it } from 'vitest'
import theme from '../../emails/theme.ts?raw'
import { renderEmail } from '../../emails/render.ts'
import colors from '../../web/brand.json' with { type: 'json' }
import { brand, samples } from './samples.ts'

const messages = Object.values(samples)
const naming = ['account_suspended', 'account_deleted', 'role_changed']

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

it('the accent of emails is that of the pages, in both modes, and written down in one place', () => {
  const { html } = renderEmail(samples.activation, brand)
  const { light, dark } = colors
  expect(html).toContain(`background:${light.accent};`)
  expect(html).toContain(`color:${light.onAccent};`)
  for (const rule of [
    `.accent{color:${dark.accent}!important}`,
    `.button{background:${dark.accent}!important}`,
    `.button a{color:${dark.onAccent}!important}`,
  ]) {
    expect(html).toContain(rule)
  }
  for (const color of [light.accent, dark.accent, dark.onAccent]) expect(theme).not.toContain(color)
})
