import { raw } from 'hono/html'
import type { Child } from 'hono/jsx'
import { footer } from './footer.ts'
import type { Block, Brand, Letter } from './letter.ts'
import { styleSheet, styles } from './theme.ts'

/**
 * A letter as an HTML document. Tables carry the layout because Outlook lays out nothing else; nothing is loaded from anywhere,
 * so opening a mail tells nobody.
 */
export function renderHtml(letter: Letter, brand: Brand): string {
  const page = <Frame letter={letter} brand={brand} />
  // Only for the compiler: hono's element may be one that waits for something, and nothing here does.
  if (page instanceof Promise) throw new TypeError('a mail is rendered at once')
  return `<!doctype html>${page.toString()}`
}

function Frame({ letter, brand }: { letter: Letter; brand: Brand }) {
  return (
    <html lang="en" dir="ltr">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width,initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="supported-color-schemes" content="light dark" />
        {/* Else Apple Mail makes links of dates and IP addresses. */}
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
                      <BlockView block={block} />
                    ))}
                  </td>
                </Table>
                <div class="soft" style={styles.footer}>
                  {footer(brand)}
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

/** A layout table of one row, which a screen reader passes over. */
function Table({ children, ...attributes }: { children: Child; class?: string; style?: string; width?: string }) {
  return (
    <table role="presentation" cellpadding="0" cellspacing="0" border={0} {...attributes}>
      <tr>{children}</tr>
    </table>
  )
}

function BlockView({ block }: { block: Block }) {
  switch (block.kind) {
    case 'paragraph':
      return (
        <p class="ink" style={styles.paragraph}>
          {block.text}
        </p>
      )
    case 'button':
      return <ButtonView {...block} />
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

function ButtonView({ label, url }: { label: string; url: string }) {
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
        If the button does not work, copy this address into your browser:
        <br />
        <a class="soft" style={styles.address} href={url}>
          {url}
        </a>
      </p>
    </>
  )
}
