import { raw } from 'hono/html'
import type { Child } from 'hono/jsx'
import type { Block, Brand, Letter, Link } from './letter.ts'
import type { Texts } from './texts/languages.ts'
import { styleSheet, styles } from './theme.ts'

type Words = Texts['frame']

/**
 * A letter as an HTML document. The layout is made of tables, because Outlook supports nothing else. Nothing is loaded from
 * anywhere, so nobody learns that the email was opened.
 */
export function renderHtml(letter: Letter, brand: Brand, words: Words): string {
  const page = <Frame letter={letter} brand={brand} words={words} />
  // For the compiler only: an element of Hono may be asynchronous, and none of these is.
  if (page instanceof Promise) throw new TypeError('an email is rendered synchronously')
  return `<!doctype html>${page.toString()}`
}

function Frame({ letter, brand, words }: { letter: Letter; brand: Brand; words: Words }) {
  return (
    <html lang={words.language} dir="ltr">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width,initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="supported-color-schemes" content="light dark" />
        {/* Stops Apple Mail from turning dates and IP addresses into links. */}
        <meta name="format-detection" content="telephone=no,date=no,address=no,email=no,url=no" />
        <title>{letter.subject}</title>
        <style>{raw(styleSheet)}</style>
      </head>
      <body class="page" style={styles.body}>
        <div style={styles.preheader}>{letter.preheader}</div>
        <Table class="page" style="width:100%">
          <td align="center" style="padding:28px 12px">
            {/* Outlook ignores max-width and takes the attribute. */}
            <Table width="560" style={styles.column}>
              <td align="left">
                <div class="soft" style={styles.brand}>
                  {brand.productName}
                </div>
                <Table style="width:100%">
                  <td class="card" style={styles.card}>
                    <h1 class="ink" style={styles.heading}>
                      {letter.heading}
                    </h1>
                    {letter.blocks.map((block) => (
                      <BlockView block={block} words={words} />
                    ))}
                  </td>
                </Table>
                <div class="soft" style={styles.footer}>
                  {words.footer(brand)}
                  <br />
                  <a class="soft" style={styles.footerLink} href={brand.publicUrl}>
                    {brand.publicUrl}
                  </a>
                </div>
              </td>
            </Table>
          </td>
        </Table>
      </body>
    </html>
  )
}

/** A table of one row, for layout only: screen readers do not announce it. */
function Table({ children, ...attributes }: { children: Child; class?: string; style?: string; width?: string }) {
  return (
    <table role="presentation" cellpadding="0" cellspacing="0" border={0} {...attributes}>
      <tr>{children}</tr>
    </table>
  )
}

function BlockView({ block, words }: { block: Block; words: Words }) {
  switch (block.kind) {
    case 'paragraph':
      return (
        <p class="ink" style={styles.paragraph}>
          {block.text}
        </p>
      )
    case 'button':
      return <ButtonView {...block} words={words} />
    case 'facts':
      return (
        <table cellpadding="0" cellspacing="0" border={0} class="rule" style={styles.factTable}>
          {block.facts.map(([label, value]) => (
            <tr>
              <th scope="row" align="left" valign="top" class="soft rule" style={styles.label}>
                {label}
              </th>
              <td class="ink rule" style={styles.value}>
                {value}
              </td>
            </tr>
          ))}
        </table>
      )
    case 'note':
      return (
        <Table style={styles.noteTable}>
          <td class="note" style={styles.note}>
            {block.text}
            {block.link && (
              <>
                {' '}
                <a class="accent" style={styles.noteLink} href={block.link.url}>
                  {block.link.label}
                </a>
              </>
            )}
          </td>
        </Table>
      )
  }
}

function ButtonView({ label, url, words }: Link & { words: Words }) {
  return (
    <>
      <Table>
        <td class="button" style={styles.button}>
          <a style={styles.buttonLink} href={url}>
            {label}
          </a>
        </td>
      </Table>
      <p class="soft" style={styles.small}>
        {words.withoutButton}
        <br />
        <a class="soft" style={styles.address} href={url}>
          {url}
        </a>
      </p>
    </>
  )
}
