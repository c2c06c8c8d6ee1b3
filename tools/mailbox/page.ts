import { type Context, Hono } from 'hono'
import { html } from 'hono/html'
import type { Mail } from './mail.ts'
import { script, style } from './page-assets.ts'

const policy =
  "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** An email may bring its own style and inline images. It runs no script and fetches nothing. */
const mailPolicy =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; frame-ancestors 'self'; sandbox allow-popups allow-top-navigation-by-user-activation"

const shown = 200

type Html = ReturnType<typeof html>

/** The pages for a person with a browser. */
export function createPages(mails: () => Mail[]): Hono {
  const find = (c: Context) => mails().find(({ id }) => id === c.req.param('id'))
  const app = new Hono()
  for (const path of ['/', '/mailbox.css', '/mailbox.js', '/mails/*']) {
    // Not Hono's `secureHeaders`: it allows one policy for all pages, and here the frame of an email has its own.
    app.use(path, async (c, next) => {
      await next()
      c.header('cache-control', 'no-store')
      c.header('referrer-policy', 'no-referrer')
      c.header('x-content-type-options', 'nosniff')
      c.header('content-security-policy', c.req.path.endsWith('/html') ? mailPolicy : policy)
    })
  }
  return app
    .get('/', (c) => c.html(frame('Mailbox', inbox(mails()))))
    .get('/mailbox.css', (c) => c.body(style, 200, { 'content-type': 'text/css; charset=utf-8' }))
    .get('/mailbox.js', (c) => c.body(script, 200, { 'content-type': 'text/javascript; charset=utf-8' }))
    .get('/mails/:id', (c) => {
      const mail = find(c)
      return mail ? c.html(frame(mail.subject, letter(mail))) : c.html(noMail(), 404)
    })
    .get('/mails/:id/html', (c) => {
      const mail = find(c)
      return mail ? c.html(inFrame(mail.html ?? '')) : c.html(noMail(), 404)
    })
}

function noMail(): Html {
  return frame('Not found', html`<p class="empty">There is no such email. <a href="/">All emails</a></p>`)
}

function inbox(mails: Mail[]): Html {
  if (mails.length === 0)
    return html`<p class="empty">No email yet. Register an account, and its activation email arrives here.</p>`
  const rows = mails.slice(0, shown).map(
    (mail) =>
      html`<li>
        <a href="/mails/${mail.id}">
          <span class="to">${mail.to.join(', ')}</span>
          <span class="subject">${mail.subject}</span>
          ${time(mail)}
        </a>
      </li>`,
  )
  const more = mails.length > shown && html`<p class="empty">The ${shown} newest of ${mails.length} emails.</p>`
  return html`<ul class="mails">
      ${rows}
    </ul>
    ${more}`
}

function letter(mail: Mail): Html {
  return html`<p><a href="/">All emails</a></p>
    <h1>${mail.subject}</h1>
    <dl>
      <dt>From</dt>
      <dd>${mail.from}</dd>
      <dt>To</dt>
      <dd>${mail.to.join(', ')}</dd>
      ${
        mail.reply_to &&
        html`<dt>Reply to</dt>
          <dd>${mail.reply_to.join(', ')}</dd>`
      }
      <dt>Sent</dt>
      <dd>${time(mail)}</dd>
    </dl>
    ${
      mail.html !== null &&
      html`<section>
        <h2>HTML</h2>
        <iframe
          title="The email as HTML"
          sandbox="allow-popups allow-top-navigation-by-user-activation"
          src="/mails/${mail.id}/html"
        ></iframe>
      </section>`
    }
    ${
      mail.text !== null &&
      html`<section>
        <h2>Text</h2>
        <pre>${linkify(mail.text)}</pre>
      </section>`
    }`
}

/** Makes http links clickable. No other scheme: `javascript:` must stay text. */
function linkify(text: string): (string | Html)[] {
  return text
    .split(/(https?:\/\/[^\s<>"']+)/)
    .map((part, index) => (index % 2 === 1 ? html`<a href="${part}">${part}</a>` : part))
}

function time({ created_at: at }: Mail): Html {
  return html`<time datetime="${at}">${at.slice(0, 19).replace('T', ' ')} UTC</time>`
}

/** Makes links of the email open in the window. In the frame, the page behind them could run no script. */
function inFrame(mailHtml: string): string {
  const base = '<base target="_top">'
  const head = /<head[^>]*>/i.exec(mailHtml)
  if (!head) return base + mailHtml
  const end = head.index + head[0].length
  return mailHtml.slice(0, end) + base + mailHtml.slice(end)
}

function frame(title: string, main: Html): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title}</title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href="/mailbox.css" />
        <script src="/mailbox.js" defer></script>
      </head>
      <body>
        <header><a href="/">Postern mailbox</a><span>local emails; none leaves this machine</span></header>
        <main>${main}</main>
      </body>
    </html> `
}
