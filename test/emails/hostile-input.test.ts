import { describe, expect, it } from 'vitest'
import { type Whereabouts, renderEmail } from '../../emails/render.ts'
import { brand, firefox, samples } from './samples.ts'

const markup = `<img src=x onerror=1>"'&</td></table><script>alert(1)</script>`

function resetFrom(from: Partial<Whereabouts>) {
  return renderEmail({ ...samples.password_reset, from: { ...firefox, ...from } }, brand)
}

describe.each(['account_suspended', 'factors_reset'] as const)('the reason in %s', (template) => {
  const withReason = (reason: string) => renderEmail({ template, reason }, brand)

  it('is escaped in HTML and unchanged in text', () => {
    const { html, text } = withReason(markup)
    expect(html).not.toMatch(/<img|<script/)
    expect(html).toContain(
      '&lt;img src=x onerror=1&gt;&quot;&#39;&amp;&lt;/td&gt;&lt;/table&gt;&lt;script&gt;alert(1)&lt;/script&gt;',
    )
    expect(text).toContain(`Reason: ${markup}`)
  })

  it('stays on one line, whatever line breaks it contains', () => {
    const breaks = ['\r\n', '\n\n', '\u2028', '\u2029', '\u0085', '\v', '\f', '\0']
    for (const lineBreak of breaks) {
      expect(withReason(`Spam${lineBreak}Bcc: x@example.net`).text).toContain('\nReason: Spam Bcc: x@example.net\n')
    }
  })

  it('loses characters that reverse or hide text or break the encoding', () => {
    const tricks = '\u202e\u2066\u200f\u200b\ufeff\u{e0041}\ud800'
    const { html, text } = withReason(`a${tricks}b`)
    expect(text).toContain('Reason: ab\n')
    expect(html).toContain('>ab</td>')
  })

  it('keeps non-Latin scripts, combining marks and emoji', () => {
    for (const reason of ['नमस्ते', 'می\u200cخواهم', 'cafe\u0301', '👩\u200d💻 ok']) {
      expect(withReason(reason).text).toContain(`Reason: ${reason}\n`)
    }
  })

  it('is cut after 999 characters, never inside one', () => {
    const { text } = withReason('😀'.repeat(5000))
    expect(text).toContain(`Reason: ${'😀'.repeat(999)}…\n`)
  })
})

describe('the user agent', () => {
  it.for([
    { device: 'Firefox on Linux', userAgent: firefox.userAgent! },
    {
      device: 'Chrome on Windows',
      userAgent: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/150.0.0.0 Safari/537.36',
    },
    {
      device: 'Edge on Windows',
      userAgent: 'Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/150.0.0.0 Safari/537.36 Edg/150.0.0.0',
    },
    {
      device: 'Safari on macOS',
      userAgent: 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/26.0 Safari/605.1.15',
    },
    {
      device: 'Safari on iPhone',
      userAgent: 'Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Mobile/15E148 Safari/604.1',
    },
    {
      device: 'Chrome on Android',
      userAgent: 'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/150.0.0.0 Mobile Safari/537.36',
    },
    {
      device: 'Chrome on Linux',
      userAgent: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/150.0.0.0 Safari/537.36',
    },
    { device: 'curl', userAgent: 'curl/8.14.1' },
    { device: 'Unknown browser or program', userAgent: 'Notes/2.1' },
  ])('is shown as $device', ({ device, userAgent }) => {
    expect(resetFrom({ userAgent }).text).toContain(`Device: ${device}\n`)
  })

  it('is never quoted, so that nobody can write into the inbox of another user', () => {
    const lure =
      'Your account was hacked! Call +1 555 0100 or see https://evil.example/ Firefox/1 (Linux)\r\nBcc: x@example.net'
    const { subject, html, text } = resetFrom({ userAgent: `${lure}${markup}\u202e${'x'.repeat(100_000)}` })
    for (const part of [subject, html, text]) expect(part).not.toMatch(/hacked|evil|555|Bcc|<img|\u202e|xxx/)
    expect(text).toContain('Device: Firefox on Linux\n')
  })
})

describe('the network', () => {
  it.for([
    { from: { ip: '203.0.113.7', country: 'DE' }, line: 'Network: 203.0.113.7 (DE)\n' },
    { from: { ip: '2001:db8::1', country: null }, line: 'Network: 2001:db8::1\n' },
    { from: { ip: '203.0.113.7', country: 'T1' }, line: 'Network: 203.0.113.7 (Tor)\n' },
    { from: { ip: '203.0.113.7', country: 'XX' }, line: 'Network: 203.0.113.7\n' },
    { from: { ip: null, country: 'DE' }, line: 'Network: DE\n' },
  ])('is shown as $line', ({ from, line }) => {
    expect(resetFrom(from).text).toContain(line)
  })

  it('is left out if neither the IP address nor the country is valid', () => {
    const { html, text } = resetFrom({ ip: markup, country: '<b>' })
    expect(text).not.toContain('Network')
    expect(html).not.toMatch(/<img|<b>|Network/)
  })

  it('leaves no empty table if nothing is known', () => {
    const { html, text } = resetFrom({ ip: null, country: null, userAgent: null })
    expect(html).not.toContain('<table cellpadding="0" cellspacing="0" border="0" class="rule"')
    expect(text).not.toMatch(/\n{3}/)
  })
})

describe.each(Object.values(samples))('the product name in $template', (message) => {
  it('is escaped in HTML and stays on one line in the subject', () => {
    const { subject, html, text } = renderEmail(message, {
      ...brand,
      productName: 'Fish & <b>Chips</b>\r\nBcc: x@example.net',
    })
    expect(subject).toContain('Fish & <b>Chips</b> Bcc: x@example.net')
    expect(subject).not.toMatch(/[\r\n]/)
    expect(html).not.toContain('<b>')
    expect(html).toContain('Fish &amp; &lt;b&gt;Chips&lt;/b&gt;')
    expect(text).toContain('Fish & <b>Chips</b> Bcc: x@example.net')
  })
})
