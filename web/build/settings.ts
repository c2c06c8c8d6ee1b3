/** What the pages are built with: the same variables of wrangler.toml that the Worker reads when it runs. */
import { unstable_readConfig as readConfig } from 'wrangler'

export interface Settings {
  productName: string
  /** Where people may be led back to after signing in, beside this origin. */
  returnOrigins: string[]
  passwordMinLength: number
}

/** @param env what a developer's machine sets for one run; it goes before the file, as it does for the Worker */
export function readPageSettings(configPath: string, env: NodeJS.ProcessEnv): Settings {
  const { vars } = readConfig({ config: configPath }, { hideWarnings: true })
  const textOf = (name: string) => env[name] ?? String(vars[name] ?? '')
  return {
    productName: textOf('PRODUCT_NAME') || 'Postern',
    returnOrigins: textOf('CORS_ORIGINS')
      .split(',')
      .map((origin) => origin.trim())
      .filter(Boolean),
    passwordMinLength: Number(textOf('PASSWORD_MIN_LENGTH')) || 8,
  }
}
