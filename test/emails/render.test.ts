import { describe, expect, it } from 'vitest'
import { type Message, renderEmail } from '../../emails/render.ts'
import { brand, link, samples } from './samples.ts'

function unescapeHtml(html: string): string {
  return html
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&')
}

const templates: Message[] = Object.values(samples)
const withLink = templates.filter((message) => JSON.stringify(message).includes(link))

describe.each(templates)('the email $template', (message) => {
  const { subject, html, text } = renderEmail(message, brand)

  it('is rendered to the same bytes every time', () => {
    expect(renderEmail(structuredClone(message), { ...brand })).toEqual({ subject, html, text })
  })

  it('shows no undefined, null, NaN or [object Object]', () => {
    for (const part of [subject, html, text]) expect(part).not.toMatch(/undefined|null|NaN|\[object/)
  })

  it('has a subject of one line that names the product', () => {
    expect(subject).toContain('Postern')
    expect(subject).toMatch(/^[^\r\n]{10,70}$/)
  })

  it('loads nothing, and links to the public origin only', () => {
    expect(html).not.toMatch(/<(?:img|link|script|iframe|object|svg|form|input)\b|\bsrc=|url\(|@import|\son\w+=/i)
    for (const part of [html, text]) {
      for (const [address] of part.matchAll(/\b(?:https?|data|javascript):[^\s"<]*/g)) {
        expect(address.startsWith(brand.publicUrl)).toBe(true)
      }
    }
  })

  it('has the same words in HTML and in text', () => {
    const page = unescapeHtml(html.replace(/<head>.*<\/head>/s, '').replace(/<[^>]*>/g, ' '))
    // Only text has colons after labels, and the address behind a linked word.
    const words = (content: string) => content.replaceAll(':', '').replace(/\s+/g, ' ')
    const inHtml = words(page)
    for (const line of text.split('\n').filter((line) => line !== '-- ')) {
      expect(inHtml).toContain(words(line.replace(`: ${brand.publicUrl}/reset-password`, '')))
    }
  })

  it('declares its language, title, color schemes, one heading and the roles of its tables', () => {
    expect(html).toMatch(/^<!doctype html><html lang="en" dir="ltr">/)
    expect(html).toContain(`<title>${subject}</title>`)
    expect(html).toContain('name="color-scheme" content="light dark"')
    expect(html).toContain('prefers-color-scheme:dark')
    expect(html.match(/<h1\b/g)).toHaveLength(1)
    for (const [table] of html.matchAll(/<table\b[^>]*>/g)) {
      const isFacts = table.includes('class="rule"')
      expect(table.includes('role="presentation"')).toBe(!isFacts)
    }
  })

  it('is smaller than the size at which Gmail clips', () => {
    // Gmail cuts at 102 kB.
    expect(html.length).toBeLessThan(12_000)
  })
})

describe('an email with a one-time link', () => {
  it.each(withLink)('shows it unchanged, as a button and as text to copy: $template', (message) => {
    const { html, text } = renderEmail(message, brand)
    expect(text.split('\n')).toContain(link)
    expect(html.split(`href="${link}"`)).toHaveLength(3)
    expect(html).toContain(`>${link}</a>`)
  })

  it('says in UTC when the link expires', () => {
    const { html, text } = renderEmail({ ...samples.activation, expiresAt: new Date('2027-01-02T03:04:05Z') }, brand)
    for (const part of [html, text]) expect(part).toContain('2 January 2027, 03:04 UTC')
  })

  it('is not rendered without a valid time of expiry', () => {
    expect(() => renderEmail({ ...samples.activation, expiresAt: new Date(NaN) }, brand)).toThrow(RangeError)
  })
})

const alarms = [
  samples.account_exists,
  samples.account_activated,
  samples.password_changed,
  samples.role_changed,
  samples.session_reuse,
  samples.sign_in_attempts,
  samples.new_sign_in,
  samples.factor_added,
  samples.factor_removed,
  samples.passkey_renamed,
  samples.recovery_codes_renewed,
  samples.recovery_code_used,
  samples.passkey_doubted,
  samples.second_factor_attempts,
  samples.factors_reset,
  samples.export_made,
]

describe.each(alarms)('the notice $template, which may be about an attacker', (message) => {
  it('links to the page that resets the password', () => {
    const { html, text } = renderEmail(message, brand)
    expect(html).toContain('href="https://accounts.example.com/reset-password"')
    expect(text).toContain('https://accounts.example.com/reset-password')
  })
})
