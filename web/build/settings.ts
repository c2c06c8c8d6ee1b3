/** The settings of the pages, read at build time from the variables that the Worker reads at run time. */
import { unstable_readConfig as readConfig } from 'wrangler'

export interface Settings {
  productName: string
  /** The origins that a sign-in may lead back to, besides the pages' own. */
  returnOrigins: string[]
  passwordMinLength: number
}

/** @param env overrides the file for one run, as it does for the Worker */
export function readPageSettings(configPath: string, env: NodeJS.ProcessEnv): Settings {
  const { vars } = readConfig({ config: configPath }, { hideWarnings: true })
  const textOf = (name: 'PRODUCT_NAME' | 'CORS_ORIGINS' | 'PASSWORD_MIN_LENGTH') =>
    env[name] ?? String(vars[name] ?? '')
  return {
    productName: textOf('PRODUCT_NAME') || 'Postern',
    returnOrigins: textOf('CORS_ORIGINS').split(',').flatMap(originOf),
    passwordMinLength: Number(textOf('PASSWORD_MIN_LENGTH')) || 8,
  }
}

/** As browsers spell it. The Worker names a value that is no origin. */
function originOf(text: string): string[] {
  const url = URL.parse(text.trim())
  return url ? [url.origin] : []
}
