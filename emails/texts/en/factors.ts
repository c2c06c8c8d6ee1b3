import { type Brand, type Letter, facts, note, paragraph } from '../../letter.ts'
import { plainLine } from '../../plain-text.ts'
import { type IncidentDetails, formatTime, formatWhereabouts, newPassword, support } from './words.ts'

interface FactorDetails extends IncidentDetails {
  kind: 'passkey' | 'totp'
}

const names = { passkey: 'a passkey', totp: 'an authenticator app' }

/** Something about the second factors of an account: what, when, from where, and what to do if it was not the owner. */
function report(
  brand: Brand,
  { at, from }: IncidentDetails,
  { subject, heading, text, advice }: { subject: string; heading: string; text: string; advice: string },
): Letter {
  return {
    subject,
    preheader: 'If it was you, there is nothing to do.',
    heading,
    blocks: [
      paragraph(text),
      facts([['When', formatTime(at)], ...formatWhereabouts(from)]),
      note(`If it was not you, set a new password now: that signs everybody out. ${advice}`, newPassword(brand)),
      ...(support(brand) ? [note('If you cannot sign in any more, ask us for help.', support(brand))] : []),
    ],
  }
}

const checkFactors = 'Then check the passkeys and the authenticator app of your account.'

/** Passkeys, authenticator apps and recovery codes. */
export const factorLetters = {
  factor_added: (brand: Brand, details: FactorDetails): Letter =>
    report(brand, details, {
      subject: `New second factor for your ${brand.productName} account`,
      heading: 'A second factor was added',
      text: `Your ${brand.productName} account has ${names[details.kind]} that it did not have before. Whoever has it can confirm a sign-in.`,
      advice: `${checkFactors} If you are asked for one that you do not have, an administrator of ${brand.productName} can remove it.`,
    }),

  factor_removed: (brand: Brand, details: FactorDetails): Letter =>
    report(brand, details, {
      subject: `Second factor removed from your ${brand.productName} account`,
      heading: 'A second factor was removed',
      text: `Somebody removed ${names[details.kind]} from your ${brand.productName} account. It no longer confirms a sign-in.`,
      advice: checkFactors,
    }),

  passkey_renamed: (brand: Brand, details: IncidentDetails): Letter =>
    report(brand, details, {
      subject: `A passkey of your ${brand.productName} account has another name`,
      heading: 'A passkey was renamed',
      text: `Somebody gave a passkey of your ${brand.productName} account another name. Nothing else about it has changed.`,
      advice: checkFactors,
    }),

  recovery_codes_renewed: (brand: Brand, details: IncidentDetails): Letter =>
    report(brand, details, {
      subject: `New recovery codes for your ${brand.productName} account`,
      heading: 'New recovery codes were made',
      text: `Your ${brand.productName} account has new recovery codes. The old ones no longer work.`,
      advice: 'Then make new recovery codes.',
    }),

  recovery_code_used: (brand: Brand, details: IncidentDetails & { left: number }): Letter =>
    report(brand, details, {
      subject: `A recovery code of your ${brand.productName} account was used`,
      heading: 'A recovery code was used',
      text: `Somebody used a recovery code of your ${brand.productName} account in place of a passkey or an authenticator app. Codes left: ${details.left}. Each works once.`,
      advice: 'Then make new recovery codes.',
    }),

  second_factor_attempts: (brand: Brand, { at, from }: IncidentDetails): Letter => ({
    subject: `Wrong codes for your ${brand.productName} account`,
    preheader: 'Somebody knows your password, or uses one of your sessions.',
    heading: 'Somebody tried wrong codes',
    blocks: [
      paragraph(
        `Somebody entered several wrong codes for your ${brand.productName} account, after the right password or in one of your sessions. Every further try now has to wait.`,
      ),
      facts([['Last try', formatTime(at)], ...formatWhereabouts(from)]),
      note(
        'If it was not you, somebody else knows your password or uses one of your sessions. Set a new password now: that signs everybody out.',
        newPassword(brand),
      ),
    ],
  }),

  passkey_doubted: (brand: Brand, details: IncidentDetails): Letter =>
    report(brand, details, {
      subject: `A passkey of your ${brand.productName} account may have been copied`,
      heading: 'Check your security key',
      text: `Somebody used a passkey of your ${brand.productName} account that is kept on one device. It counts its uses, and the count has not grown, so there may be a copy of it.`,
      advice: 'Then remove the passkey, and add a new one.',
    }),

  factors_reset: (brand: Brand, { reason }: { reason: string }): Letter => ({
    subject: `Second factors removed from your ${brand.productName} account`,
    preheader: 'You were signed out. This email says why.',
    heading: 'Your second factors were removed',
    blocks: [
      paragraph(
        `An administrator removed every passkey, the authenticator app and the recovery codes of your ${brand.productName} account, and signed you out on every device.`,
      ),
      facts([['Reason', plainLine(reason, 1000)]]),
      paragraph('Sign in with your password, and add a second factor again.'),
      note('If you did not ask for this, set a new password now.', newPassword(brand)),
      ...(support(brand) ? [note('If you have questions, ask us.', support(brand))] : []),
    ],
  }),

  factor_code: ({ productName }: Brand, { code, expiresAt }: { code: string; expiresAt: Date }): Letter => ({
    subject: `Your code for ${productName}`,
    preheader: `It works until ${formatTime(expiresAt)}.`,
    heading: 'Your code',
    blocks: [
      paragraph(`Enter this code to add a second factor to your ${productName} account.`),
      facts([['Code', code]]),
      paragraph(`It works until ${formatTime(expiresAt)}, and only where you asked for it.`),
      note(
        'Never tell anybody this code. If you did not ask for it, somebody else knows your password: set a new one, which signs everybody out.',
      ),
    ],
  }),
}
