/** Why a call was refused, by the codes of the API. Its own texts are for programmers, in English alone. */
import type { ErrorCode, FieldError } from '../../../client/src/index.ts'

export interface Refusals {
  problem: Record<ErrorCode, string>
  /** For a code that only a newer service has. */
  unknownProblem: string
  fieldError: Record<FieldError['code'], string>
  unknownFieldError: string
}

export const refusals: Refusals = {
  problem: {
    malformed_json: 'Something went wrong while sending. Reload the page and try again.',
    invalid_link: 'This link no longer works. Request a new one.',
    invalid_credentials: 'The email address or the password is wrong. Check both and try again.',
    invalid_token: 'You are no longer signed in. Sign in again.',
    invalid_refresh_token: 'You are no longer signed in. Sign in again.',
    refresh_token_reused: 'We signed you out to protect your account. Sign in again.',
    account_pending: 'This account is not active yet. Open the link in the email we sent you when you signed up.',
    account_suspended: 'This account is suspended. The email we sent you says why.',
    wrong_password: 'The password is wrong.',
    invalid_setup: 'This setup has expired. Start it again.',
    invalid_factor_token: 'This sign-in took too long or was completed elsewhere. Sign in again.',
    invalid_passkey: 'The passkey was not accepted. Try again, or choose another way.',
    insufficient_user_authentication: 'Confirm that it is you, then try again.',
    second_factor_required: 'This account also asks for a passkey or a code.',
    wrong_second_factor: 'This is not right. Check it and try again.',
    factor_enrolment_required: 'Your account needs a second factor. Add a passkey or an authenticator app first.',
    wrong_mail_code: 'The code from the email is wrong or has expired.',
    passkey_exists: 'This passkey has already been added.',
    too_many: 'You have reached the limit. Remove one first.',
    last_factor: 'Your account needs a second factor. Add another one before you remove this one.',
    email_recently_changed: 'The email address was changed recently. Wait three days before you change it again.',
    insufficient_permission: 'You do not have permission to do this.',
    origin_not_allowed: 'This does not work at this address. Open the page at its own address and try again.',
    not_found: 'This no longer exists.',
    method_not_allowed: 'This is not possible. Reload the page and try again.',
    last_admin: 'This is the only administrator. Make someone else an administrator first.',
    own_account: 'You cannot do this to your own account.',
    not_activated: 'This account has not been activated yet. Until then it keeps the role “User”.',
    user_suspended: 'This account is suspended. Reinstate it first.',
    not_suspended: 'This account is not suspended.',
    email_suppressed: 'No email is sent to this address at present. Allow emails to it again first.',
    not_suppressed: 'Emails to this address are already allowed.',
    body_too_large: 'That is too much text. Shorten it and try again.',
    unsupported_media_type: 'Something went wrong while sending. Reload the page and try again.',
    validation_failed: 'Something you entered cannot be accepted. Check it and try again.',
    weak_password: 'This password is too easy to guess. Choose another one.',
    rate_limited: 'Too many attempts. Please wait a moment and try again.',
    internal_error: 'Something went wrong on our side. Please try again later.',
    service_unavailable: 'The service is temporarily unavailable. Please try again in a moment.',
    passkey_cancelled: 'No passkey was used. Try again, or choose another way.',
    passkey_unavailable: 'Passkeys do not work in this browser or at this address.',
    network_error: 'We could not reach the server. Check your connection and try again.',
    unexpected_answer: 'Something went wrong on our side. Please try again later.',
    invalid_request: 'Something went wrong while sending. Reload the page and try again.',
    origin_not_listed: 'This is not possible. Reload the page and try again.',
    client_in_use: 'Someone else is signed in. Sign out first.',
  },

  unknownProblem: 'This is not possible. Reload the page and try again.',

  fieldError: {
    required: 'This is required.',
    invalid_type: 'This cannot be accepted. Check what you entered.',
    invalid_value: 'Choose one of the options.',
    invalid_format: 'This does not have the expected form.',
    invalid_union: 'This cannot be accepted. Check what you entered.',
    too_small: 'This is too short.',
    too_big: 'This is too long.',
    invalid: 'This cannot be accepted. Check what you entered.',
    invalid_text: 'This contains characters that cannot be used here.',
    invalid_email: 'This is not an email address. Check it for typing errors.',
    invalid_url: 'This is not a web address. It has to start with https:// and must not contain spaces.',
    invalid_locale: 'This language is not known.',
    invalid_id: 'This is not an ID.',
    invalid_cursor: 'This list has changed. Start again at the first page.',
    invalid_return_to: 'We cannot take you back to this address.',
    unknown_parameter: 'The list cannot be filtered by this.',
    too_short: 'This password is too short.',
    too_guessable: 'This password is too easy to guess. Make it longer or add more words.',
    breached:
      'This password is known from a data breach, so attackers try it first. Choose another one here, and wherever else you use it.',
    turnstile_required: 'Confirm that you are human.',
    turnstile_failed: 'The check that you are human did not work. Please try again.',
  },

  unknownFieldError: 'This cannot be accepted. Check what you entered.',
}
