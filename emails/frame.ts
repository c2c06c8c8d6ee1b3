import { html, raw } from 'hono/html'
import type { Block, Brand, Letter, Link } from './letter.ts'
import type { Texts } from './texts/languages.ts'
import { styleSheet, styles } from './theme.ts'

type Words = Texts['frame']
type Markup = ReturnType<typeof markup>

/** The attributes of a table that is used for layout only. The role keeps screen readers from announcing it. */
const layout = raw('role="presentation" cellpadding="0" cellspacing="0" border="0"')

/**
 * A letter as an HTML document. The layout is made of tables, because Outlook supports nothing else. Nothing is loaded from
 * anywhere, so nobody learns that the email was opened.
 */
export function renderHtml(letter: Letter, brand: Brand, words: Words): string {
  return markup`
    <!doctype html>
    <html lang="${words.language}" dir="ltr">
      ${head(letter.subject)}
      <body class="page" style="${styles.body}">
        <div style="${styles.preheader}">${letter.preheader}</div>
        <table ${layout} class="page" style="width:100%">
          <tr>
            <td align="center" style="padding:28px 12px">${column(letter, brand, words)}</td>
          </tr>
        </table>
      </body>
    </html>
  `.toString()
}

/** `format-detection` stops Apple Mail from turning dates and IP addresses into links. */
function head(title: string): Markup {
  return markup`
    <head>
      <meta charset="utf-8"/>
      <meta name="viewport" content="width=device-width,initial-scale=1"/>
      <meta name="color-scheme" content="light dark"/>
      <meta name="supported-color-schemes" content="light dark"/>
      <meta name="format-detection" content="telephone=no,date=no,address=no,email=no,url=no"/>
      <title>${title}</title>
      <style>${raw(styleSheet)}</style>
    </head>
  `
}

/** Has a `width` attribute besides its style, because Outlook ignores `max-width`. */
function column(letter: Letter, brand: Brand, words: Words): Markup {
  return markup`
    <table ${layout} width="560" style="${styles.column}">
      <tr>
        <td align="left">
          <div class="soft" style="${styles.brand}">${brand.productName}</div>
          <table ${layout} style="width:100%">
            <tr>
              <td class="card" style="${styles.card}">
                <h1 class="ink" style="${styles.heading}">${letter.heading}</h1>
                ${letter.blocks.map((block) => blockView(block, words))}
              </td>
            </tr>
          </table>
          <div class="soft" style="${styles.footer}">
            ${words.footer(brand)}
            <br/>
            <a class="soft" style="${styles.footerLink}" href="${brand.publicUrl}">${brand.publicUrl}</a>
          </div>
        </td>
      </tr>
    </table>
  `
}

function blockView(block: Block, words: Words): Markup {
  switch (block.kind) {
    case 'paragraph':
      return markup`<p class="ink" style="${styles.paragraph}">${block.text}</p>`
    case 'button':
      return buttonView(block, words)
    case 'facts':
      return markup`
        <table cellpadding="0" cellspacing="0" border="0" class="rule" style="${styles.factTable}">
          ${block.facts.map(
            ([label, value]) => markup`
              <tr>
                <th scope="row" align="left" valign="top" class="soft rule" style="${styles.label}">${label}</th>
                <td class="ink rule" style="${styles.value}">${value}</td>
              </tr>
            `,
          )}
        </table>
      `
    case 'note':
      return markup`
        <table ${layout} style="${styles.noteTable}">
          <tr>
            <td class="note" style="${styles.note}">${block.text}${block.link && noteLink(block.link)}</td>
          </tr>
        </table>
      `
  }
}

function noteLink({ label, url }: Link): Markup {
  return markup` <a class="accent" style="${styles.noteLink}" href="${url}">${label}</a>`
}

function buttonView({ label, url }: Link, words: Words): Markup {
  return markup`
    <table ${layout}>
      <tr>
        <td class="button" style="${styles.button}">
          <a style="${styles.buttonLink}" href="${url}">${label}</a>
        </td>
      </tr>
    </table>
    <p class="soft" style="${styles.small}">
      ${words.withoutButton}
      <br/>
      <a class="soft" style="${styles.address}" href="${url}">${url}</a>
    </p>
  `
}

/**
 * Escapes every value, like `html`, and drops the line breaks and indentation of the template, which would be sent with every
 * email. Values keep theirs.
 */
function markup(template: TemplateStringsArray, ...values: unknown[]) {
  const strings = template.map((part) => part.replace(/\n\s*/g, ''))
  const rendered = html(Object.assign(strings, { raw: template.raw }), ...values)
  // For the compiler only: `html` returns a promise if a value is one, and no value here is a promise.
  if (rendered instanceof Promise) throw new TypeError('an email is rendered synchronously')
  return rendered
}
