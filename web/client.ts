import { createClient } from '../client/src/index.ts'

/** The one client of a page. The refresh token is in a cookie that no script can read, see docs/browsers.md. */
export const client = createClient({ url: location.origin, transport: 'cookie' })
