/**
 * Authenticators of Chromium's debugging protocol, which answer as a person with a passkey would. They are gone as soon
 * as any other session of that protocol ends, such as that of `accessibilityFaults`.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import type { CDPSession, Page } from 'playwright-core'

interface Kind {
  /** Whether a password manager keeps its passkeys, and not the device alone. */
  isSynced?: boolean
  /** A key on a keyring, in place of the device itself. */
  isKey?: boolean
}

export class VirtualAuthenticator {
  readonly #cdp: CDPSession
  readonly #id: string

  private constructor(cdp: CDPSession, id: string) {
    this.#cdp = cdp
    this.#id = id
  }

  static async add(page: Page, { isSynced = true, isKey = false }: Kind = {}): Promise<VirtualAuthenticator> {
    const cdp = await page.context().newCDPSession(page)
    await cdp.send('WebAuthn.enable')
    const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport: isKey ? 'usb' : 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
        defaultBackupEligibility: isSynced,
        defaultBackupState: isSynced,
      },
    })
    return new VirtualAuthenticator(cdp, authenticatorId)
  }

  /** Whether the person touches it as soon as they are asked. A ceremony that is open already does not see the change. */
  async answers(isPresent: boolean): Promise<void> {
    const setting = { authenticatorId: this.#id, enabled: isPresent }
    await this.#cdp.send('WebAuthn.setAutomaticPresenceSimulation', setting)
  }

  /** Gives it a passkey whose account is gone. */
  async keepStray(): Promise<void> {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const credential = {
      credentialId: randomBytes(32).toString('base64'),
      isResidentCredential: true,
      rpId: 'localhost',
      privateKey: privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64'),
      userHandle: randomBytes(16).toString('base64'),
      signCount: 0,
    }
    await this.#cdp.send('WebAuthn.addCredential', { authenticatorId: this.#id, credential })
  }

  async passkeys(): Promise<number> {
    const { credentials } = await this.#cdp.send('WebAuthn.getCredentials', { authenticatorId: this.#id })
    return credentials.length
  }
}

/**
 * A person who closes every dialog for a passkey. A virtual authenticator cannot: without an answer it waits for the end of
 * the time, because a page must not learn at once that there is no passkey.
 */
export async function declineDialogs(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const decline = async (options?: { mediation?: string }) => {
      if (options?.mediation === 'conditional') return new Promise<never>(() => {})
      throw new DOMException('x', 'NotAllowedError')
    }
    Object.assign(navigator.credentials, { get: decline, create: decline })
  })
}
