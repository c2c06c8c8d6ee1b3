import type { Brand, Message, Whereabouts } from '../../emails/render.ts'

export const brand: Brand = { productName: 'Postern', publicUrl: 'https://accounts.example.com', supportUrl: null }

export const link = 'https://accounts.example.com/activate#token=eyJhbGciOiJIUzI1NiJ9.eyJqdGkiOiIxIn0.c2lnbmF0dXJl-_'

export const firefox: Whereabouts = {
  ip: '203.0.113.7',
  country: 'DE',
  userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
}

const at = new Date('2026-11-22T18:40:12.512Z')

type Samples = { [Template in Message['template']]: Extract<Message, { template: Template }> }

/** One of each template. A template without a sample does not compile, so the tests for all templates cover every one. */
export const samples: Samples = {
  activation: { template: 'activation', link, expiresAt: at },
  account_exists: { template: 'account_exists' },
  account_activated: { template: 'account_activated' },
  password_reset: { template: 'password_reset', link, expiresAt: at, from: firefox },
  set_password: { template: 'set_password', link, expiresAt: at },
  password_changed: { template: 'password_changed', at, from: firefox },
  account_suspended: { template: 'account_suspended', reason: 'Advertising in the comments' },
  account_reinstated: { template: 'account_reinstated' },
  account_deleted: { template: 'account_deleted' },
  role_changed: { template: 'role_changed', role: 'MODERATOR' },
  session_reuse: { template: 'session_reuse', at, from: firefox },
  sign_in_attempts: { template: 'sign_in_attempts', at, from: firefox },
  factor_added: { template: 'factor_added', kind: 'totp', at, from: firefox },
  factor_removed: { template: 'factor_removed', kind: 'passkey', at, from: firefox },
  passkey_renamed: { template: 'passkey_renamed', at, from: firefox },
  recovery_codes_renewed: { template: 'recovery_codes_renewed', at, from: firefox },
  recovery_code_used: { template: 'recovery_code_used', left: 7, at, from: firefox },
  passkey_doubted: { template: 'passkey_doubted', at, from: firefox },
  second_factor_attempts: { template: 'second_factor_attempts', at, from: firefox },
  factors_reset: { template: 'factors_reset', reason: 'Lost phone' },
  factor_code: { template: 'factor_code', code: '01234567', expiresAt: at },
  new_sign_in: { template: 'new_sign_in', at, from: firefox },
  email_change: { template: 'email_change', link, expiresAt: at },
  email_change_taken: { template: 'email_change_taken' },
  email_change_notice: { template: 'email_change_notice', link, expiresAt: at, from: firefox },
  email_changed: { template: 'email_changed', undo: { link, expiresAt: at }, from: firefox },
  email_reverted: { template: 'email_reverted', at, from: firefox },
  export_made: { template: 'export_made', at, from: firefox },
}
