import { type Brand, type Letter, button, facts, note, paragraph } from '../../letter.ts'
import { plainLine } from '../../plain-text.ts'
import { type LinkDetails, formatTime, newPassword, roleNames, support } from './words.ts'

/** The API takes no reason as long as this. The email stays readable even if one gets here. */
const maxReasonLength = 1000

/** What becomes of an account. */
export const accountLetters = {
  activation: ({ productName }: Brand, { link, expiresAt }: LinkDetails): Letter => ({
    subject: `Activate your ${productName} account`,
    preheader: `One step left. The link works until ${formatTime(expiresAt)}.`,
    heading: 'Activate your account',
    blocks: [
      paragraph(`Welcome to ${productName}! There is one step left: please confirm that this address is yours.`),
      paragraph('Open the link and enter the password you chose when you registered. Your account is then active.'),
      paragraph(`The link works once, until ${formatTime(expiresAt)}.`),
      button('Activate account', link),
      note(
        'If you did not register, please ignore this email. The account stays inactive, and we will delete it soon.',
      ),
    ],
  }),

  account_exists: (brand: Brand): Letter => ({
    subject: `You already have a ${brand.productName} account`,
    preheader: 'Somebody tried to register with your address. Nothing has changed.',
    heading: 'You already have an account',
    blocks: [
      paragraph(
        `Somebody, perhaps you, just tried to register at ${brand.productName} with this address. It already has an account, so nothing has changed.`,
      ),
      paragraph('If it was you, sign in with the password you have. If you have forgotten it, choose a new one:'),
      button(newPassword(brand).label, newPassword(brand).url),
      note(
        'If it was not you, there is nothing to do. Your account and your password are as they were, and nobody was told that you have an account.',
      ),
    ],
  }),

  account_activated: (brand: Brand): Letter => ({
    subject: `Your ${brand.productName} account is active`,
    preheader: 'You can sign in now.',
    heading: 'Your account is active',
    blocks: [
      paragraph(
        `Your ${brand.productName} account is ready. You can now sign in with this email address and your password.`,
      ),
      note(
        'If it was not you who activated it, set a new password. That signs everybody else out and leaves the account to you.',
        newPassword(brand),
      ),
    ],
  }),

  account_suspended: (brand: Brand, { reason }: { reason: string }): Letter => ({
    subject: `Your ${brand.productName} account was suspended`,
    preheader: 'You were signed out. This email says why.',
    heading: 'Your account was suspended',
    blocks: [
      paragraph(
        `Your ${brand.productName} account was suspended. You were signed out on every device and cannot sign in for now.`,
      ),
      facts([['Reason', plainLine(reason, maxReasonLength) || 'None was given.']]),
      note(
        support(brand)
          ? 'Nothing in your account was deleted. If you think this is a mistake, please let us know.'
          : 'Nothing in your account was deleted, and a suspension can be ended at any time.',
        support(brand),
      ),
    ],
  }),

  account_reinstated: ({ productName }: Brand): Letter => ({
    subject: `Your ${productName} account is open again`,
    preheader: 'The suspension is over.',
    heading: 'Your account is open again',
    blocks: [
      paragraph(`Your ${productName} account is no longer suspended, and everything in it is as it was before.`),
      paragraph('You were signed out in the meantime, so please sign in again.'),
    ],
  }),

  account_deleted: (brand: Brand): Letter => ({
    subject: `Your ${brand.productName} account was deleted`,
    preheader: 'Your profile and all your sessions are gone.',
    heading: 'Your account was deleted',
    blocks: [
      paragraph(
        `Your ${brand.productName} account was deleted, along with your profile and all your sessions. It cannot be restored, and you will get no more email about it.`,
      ),
      paragraph(`You are welcome to register again at any time. Thank you for using ${brand.productName}!`),
      note(
        [
          'If you did not want this, somebody else may have got into your account. If you use its password anywhere else, change it there.',
          ...(support(brand) ? ['Then let us know.'] : []),
        ].join(' '),
        support(brand),
      ),
    ],
  }),

  email_change: ({ productName }: Brand, { link, expiresAt }: LinkDetails): Letter => ({
    subject: `Confirm your new address for ${productName}`,
    preheader: `The link works until ${formatTime(expiresAt)}.`,
    heading: 'Confirm your new address',
    blocks: [
      paragraph(`Somebody, hopefully you, wants to use this address for a ${productName} account.`),
      paragraph(
        `Open the link where you are signed in to that account. It works once, until ${formatTime(expiresAt)}.`,
      ),
      button('Confirm address', link),
      note('If it was not you, ignore this email: nothing changes.'),
    ],
  }),

  email_change_taken: ({ productName }: Brand): Letter => ({
    subject: `This address already has a ${productName} account`,
    preheader: 'Somebody wanted to use it for another one. Nothing has changed.',
    heading: 'This address is in use',
    blocks: [
      paragraph(
        `Somebody, perhaps you, wants to use this address for a ${productName} account. It already belongs to one, so nothing has changed.`,
      ),
      note('If it was not you, there is nothing to do. Nobody was told that the address has an account.'),
    ],
  }),

  role_changed: (brand: Brand, { role }: { role: keyof typeof roleNames }): Letter => ({
    subject: `Your role at ${brand.productName} was changed`,
    preheader: `Your new role is ${roleNames[role]}. Please sign in again.`,
    heading: 'You have a new role',
    blocks: [
      paragraph(
        `An administrator has changed the role of your ${brand.productName} account. You were signed out on every device: sign in again to use the new role.`,
      ),
      facts([['New role', roleNames[role]]]),
      support(brand)
        ? note('If you did not expect this, please let us know.', support(brand))
        : note('If you did not expect this, set a new password to be safe.', newPassword(brand)),
    ],
  }),
}
