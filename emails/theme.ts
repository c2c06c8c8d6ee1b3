import brand from '../web/brand.json' with { type: 'json' }

/** The accent of the pages, light and dark, is that of the emails, too: `web/brand.json`. */
const { light, dark } = brand

/** The look of every email. Inline styles are the light theme, which any client shows; the style sheet adds the dark one. */
const font = "font-family:system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
/** Two properties, because some clients know only one of them. */
const breakable = 'word-break:break-word;overflow-wrap:anywhere'

export const styles = {
  body: 'margin:0;padding:0;background:#f3f5f6;-webkit-text-size-adjust:100%',
  /** For the preview line of an inbox only; hidden in the email itself. */
  preheader: 'display:none;max-height:0;overflow:hidden;opacity:0;mso-hide:all',
  column: 'width:100%;max-width:560px;margin:0 auto',
  brand: `${font};font-size:15px;line-height:20px;font-weight:600;color:#51606b;padding:0 4px 14px;${breakable}`,
  card: 'background:#ffffff;border:1px solid #dfe5e8;border-radius:12px;padding:28px 24px 12px',
  heading: `${font};font-size:22px;line-height:28px;font-weight:700;color:#18222a;margin:0 0 16px`,
  paragraph: `${font};font-size:16px;line-height:24px;color:#18222a;margin:0 0 16px;${breakable}`,
  button: `background:${light.accent};border-radius:8px;mso-padding-alt:13px 24px`,
  buttonLink: `${font};display:inline-block;padding:13px 24px;font-size:16px;line-height:22px;font-weight:600;color:${light.onAccent};text-decoration:none;border-radius:8px`,
  small: `${font};font-size:13px;line-height:19px;color:#51606b;margin:12px 0 20px`,
  /** The address of a link, with its token, is one long word. */
  address: 'color:#51606b;font-size:12px;word-break:break-all',
  label: `${font};font-size:14px;line-height:20px;color:#51606b;padding:7px 16px 7px 0;white-space:nowrap;border-top:1px solid #dfe5e8`,
  value: `${font};font-size:14px;line-height:20px;color:#18222a;width:100%;padding:7px 0;border-top:1px solid #dfe5e8;${breakable}`,
  factTable: 'width:100%;margin:0 0 20px;border-bottom:1px solid #dfe5e8',
  note: `${font};font-size:14px;line-height:21px;color:#36444f;background:#eef2f3;border-radius:8px;padding:12px 16px;${breakable}`,
  noteTable: 'width:100%;margin:4px 0 16px',
  noteLink: `color:${light.accent};font-weight:600`,
  footer: `${font};font-size:12px;line-height:18px;color:#51606b;padding:16px 4px 0;${breakable}`,
  footerLink: 'color:#51606b',
} as const

/** Holds no `<`, `&` or `"`: it is put into the page unescaped. */
export const styleSheet = [
  ':root{color-scheme:light dark;supported-color-schemes:light dark}',
  '@media(max-width:400px){.card{padding:24px 18px 8px!important}}',
  '@media(prefers-color-scheme:dark){',
  '.page{background:#12171b!important}',
  '.card{background:#1b2227!important;border-color:#2f3a42!important}',
  '.ink{color:#e8edf0!important}',
  '.soft{color:#a9b6bf!important}',
  '.rule{border-color:#2f3a42!important}',
  '.note{background:#252e35!important;color:#cfd8de!important}',
  `.accent{color:${dark.accent}!important}`,
  `.button{background:${dark.accent}!important}`,
  `.button a{color:${dark.onAccent}!important}`,
  '}',
].join('')
