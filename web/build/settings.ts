/** The settings of the pages, read at build time from the variables that the Worker reads at run time. */
import { unstable_readConfig as readConfig } from 'wrangler'

export interface Settings {
  productName: string
  /** The origins that a sign-in may lead back to, besides the pages' own. */
  returnOrigins: string[]
  passwordMinLength: number
  /** `null`: no form has a challenge. */
  turnstile: { siteKey: string; scriptUrl: string } | null
}

const turnstileScript = 'https://challenges.cloudflare.com/turnstile/v0/api.js?render=explicit'

/** @param env overrides the file for one run, as it does for the Worker */
export function readPageSettings(configPath: string, env: NodeJS.ProcessEnv): Settings {
  const { vars } = readConfig({ config: configPath }, { hideWarnings: true })
  const textOf = (name: 'PRODUCT_NAME' | 'CORS_ORIGINS' | 'PASSWORD_MIN_LENGTH' | 'TURNSTILE_SITE_KEY') =>
    env[name] ?? String(vars[name] ?? '')
  const siteKey = textOf('TURNSTILE_SITE_KEY').trim()
  return {
    productName: textOf('PRODUCT_NAME') || 'Postern',
    returnOrigins: textOf('CORS_ORIGINS').split(',').flatMap(originOf),
    passwordMinLength: Number(textOf('PASSWORD_MIN_LENGTH')) || 8,
    turnstile: siteKey === '' ? null : { siteKey, scriptUrl: scriptOf(env['TURNSTILE_SCRIPT_URL']) },
  }
}

/** As browsers spell it. A value that is no origin is skipped here: the Worker reports it. */
function originOf(text: string): string[] {
  const url = URL.parse(text.trim())
  return url ? [url.origin] : []
}

/** A stand-in for the script of Turnstile may run in development: it is taken from this machine alone. */
function scriptOf(standIn: string | undefined): string {
  if (!standIn) return turnstileScript
  const { protocol, hostname, href } = new URL(standIn)
  if (protocol === 'http:' && ['127.0.0.1', 'localhost'].includes(hostname)) return href
  throw new Error('TURNSTILE_SCRIPT_URL must be an http address of this machine')
}
