import { escapeHtml, linkify } from './escape.ts'
import type { Mail } from './mail.ts'
import { script, style } from './page-assets.ts'

const policy =
  "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** A mail may bring its own style and inline images; it runs no script and fetches nothing. */
const mailPolicy =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; frame-ancestors 'self'; sandbox allow-popups allow-top-navigation-by-user-activation"

const shown = 200

/** The pages for a person with a browser, or `undefined` for what belongs to the API. */
export function page(method: string, url: URL, mails: Mail[]): Response | undefined {
  const path = url.pathname
  const mailPath = /^\/mails\/([\w-]+)(\/html)?$/.exec(path)
  if (path !== '/' && path !== '/mailbox.css' && path !== '/mailbox.js' && !mailPath) return undefined
  if (method !== 'GET') return undefined
  if (path === '/mailbox.css') return asset(style, 'text/css')
  if (path === '/mailbox.js') return asset(script, 'text/javascript')
  if (!mailPath) return html(frame('Mailbox', inbox(mails)))
  const mail = mails.find((each) => each.id === mailPath[1])
  if (!mail)
    return html(frame('Not found', '<p class="empty">There is no such mail. <a href="/">All mails</a></p>'), 404)
  if (!mailPath[2]) return html(frame(mail.subject, letter(mail)))
  return html(inFrame(mail.html ?? ''), 200, mailPolicy)
}

function inbox(mails: Mail[]): string {
  if (mails.length === 0)
    return '<p class="empty">No mail yet. Register an account, and its activation mail lands here.</p>'
  const rows = mails.slice(0, shown).map(
    (mail) => `<li><a href="/mails/${mail.id}">
<span class="to">${escapeHtml(mail.to.join(', '))}</span>
<span class="subject">${escapeHtml(mail.subject)}</span>
${time(mail)}
</a></li>`,
  )
  const more = mails.length > shown ? `<p class="empty">The ${shown} newest of ${mails.length} mails.</p>` : ''
  return `<ul class="mails">${rows.join('\n')}</ul>${more}`
}

function letter(mail: Mail): string {
  const htmlPart =
    mail.html === null
      ? ''
      : `<section><h2>HTML</h2>
<iframe title="The mail as HTML" sandbox="allow-popups allow-top-navigation-by-user-activation" src="/mails/${mail.id}/html"></iframe></section>`
  const textPart = mail.text === null ? '' : `<section><h2>Text</h2><pre>${linkify(mail.text)}</pre></section>`
  return `<p><a href="/">All mails</a></p>
<h1>${escapeHtml(mail.subject)}</h1>
<dl>
<dt>From</dt><dd>${escapeHtml(mail.from)}</dd>
<dt>To</dt><dd>${escapeHtml(mail.to.join(', '))}</dd>
${mail.reply_to ? `<dt>Reply to</dt><dd>${escapeHtml(mail.reply_to.join(', '))}</dd>` : ''}
<dt>Sent</dt><dd>${time(mail)}</dd>
</dl>
${htmlPart}
${textPart}`
}

function time(mail: Mail): string {
  return `<time datetime="${escapeHtml(mail.created_at)}">${escapeHtml(mail.created_at.slice(0, 19).replace('T', ' '))} UTC</time>`
}

/** Links of a mail are to open in the window, not in the frame, where the page behind them could run no script. */
function inFrame(mailHtml: string): string {
  const base = '<base target="_top">'
  const head = /<head[^>]*>/i.exec(mailHtml)
  if (!head) return base + mailHtml
  const end = head.index + head[0].length
  return mailHtml.slice(0, end) + base + mailHtml.slice(end)
}

function frame(title: string, main: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/mailbox.css">
<script src="/mailbox.js" defer></script>
</head>
<body>
<header><a href="/">Postern mailbox</a><span>local mails, nothing is really sent</span></header>
<main>${main}</main>
</body>
</html>
`
}

function html(text: string, status = 200, contentSecurityPolicy = policy): Response {
  return new Response(text, {
    status,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': contentSecurityPolicy,
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
    },
  })
}

function asset(text: string, type: string): Response {
  return new Response(text, {
    headers: {
      'content-type': `${type}; charset=utf-8`,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    },
  })
}
