import { createClient } from '../client/src/index.ts'

/** One client per page. The refresh token is in a cookie that no script can read (docs/browsers.md). */
export const client = createClient({ url: location.origin, transport: 'cookie' })
