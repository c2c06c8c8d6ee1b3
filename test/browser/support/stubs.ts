/** Answers that are hard to get from the service: those of an account with every factor, and a refusal by age. */
import type { Page } from 'playwright-core'

const at = '2026-11-20T10:00:00.000Z'

const factors = {
  passkeys: [
    { name: 'Phone', backed_up: true, last_used_at: at },
    { name: 'Key-on-my-ring-with-a-name-that-is-longer-than-a-line', backed_up: false, last_used_at: null },
  ].map((passkey, n) => ({ ...passkey, id: String(n), created_at: at, aaguid: null, transports: ['internal'] })),
  totp: { created_at: at, last_used_at: at },
  recovery_codes: 7,
}

const codes = Array.from({ length: 8 }, (_, n) => `7QK${n}-2M4X-9TRE-J0WZ-8HND-5VCP`)
const secret = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP'
const uri = `otpauth://totp/Postern:ada%40example.com?secret=${secret}&issuer=Postern`

export async function stubFactors(page: Page): Promise<void> {
  await page.route('**/users/me/factors', (route) => route.fulfill({ json: factors }))
  await page.route('**/users/me/recovery-codes', (route) => route.fulfill({ json: { recovery_codes: codes } }))
  await page.route('**/users/me/totp', (route) => route.fulfill({ json: { setup_token: 'x', secret, uri } }))
}

/** Every factor can be used in the step-up. */
export async function stubStepUp(page: Page): Promise<void> {
  const options = {
    challenge_token: 'x',
    public_key: { challenge: 'eA' },
    methods: ['passkey', 'totp', 'recovery_code'],
  }
  await page.route('**/auth/step-up/options', (route) => route.fulfill({ json: options }))
}

/** Refuses calls as those that come too long after the last proof. */
export async function refuseAsStale(page: Page, url: string, { times }: { times?: number } = {}): Promise<void> {
  const challenge = 'Bearer error="insufficient_user_authentication", max_age="600", acr_values="urn:postern:2 phr"'
  await page.route(
    url,
    (route) =>
      route.fulfill({
        status: 401,
        contentType: 'application/problem+json',
        headers: { 'WWW-Authenticate': challenge },
        body: JSON.stringify({ status: 401, code: 'insufficient_user_authentication', title: '', detail: '' }),
      }),
    times === undefined ? {} : { times },
  )
}
