/**
 * Why a request was refused or could not be served, for the log. The client sees the code alone, since a more precise
 * answer would help an attacker more than the user.
 */
export const reasons = [
  // Tokens
  'malformed',
  'wrong_algorithm',
  'unknown_key',
  'bad_signature',
  'wrong_typ',
  'wrong_issuer',
  'wrong_audience',
  'wrong_client',
  'expired',
  'not_yet_valid',
  'lives_too_long',
  'bad_claims',
  // Sessions and links
  'revoked',
  'ended',
  'ended_meanwhile',
  'changed_meanwhile',
  'used_meanwhile',
  'unknown_generation',
  'closed_by_password_change',
  'other_session',
  // Passwords and people
  'unknown_address',
  'wrong_password',
  'pending',
  'suspended',
  'password_attempts',
  'unknown_passkey',
  'wrong_passkey',
  'used_challenge',
  'second_factor_required',
  'wrong_second_factor',
  'factor_attempts',
  'target_out_of_reach',
  'suspended_by_higher_role',
  // Requests
  'client_address',
  'user',
  'network_ceiling',
  'user_ceiling',
  'stranger_budget',
  'mail_budget',
  'broken_off',
  'webhook_signature',
  // Services that did not answer
  'config',
  'd1',
  'd1_overloaded',
  'd1_full',
  'd1_nearly_full',
  'schema',
  'kv',
  'r2',
  'turnstile',
  'pwned_passwords',
  'maintenance',
  // This isolate
  'hash_queue',
] as const

export type Reason = (typeof reasons)[number]
