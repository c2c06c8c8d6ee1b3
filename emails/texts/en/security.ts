import { type Brand, type Letter, button, facts, note, paragraph } from '../../letter.ts'
import type { Whereabouts } from '../../whereabouts.ts'
import { type IncidentDetails, type LinkDetails, formatTime, formatWhereabouts, newPassword } from './words.ts'

interface UndoDetails extends LinkDetails {
  from: Whereabouts
}

const undone =
  'Then everybody is signed out, the password is gone, and so is every passkey or app that was added since the day before.'

/** Passwords, sign-ins and sessions. */
export const securityLetters = {
  password_reset: (
    { productName }: Brand,
    { link, expiresAt, from }: LinkDetails & { from: Whereabouts | 'administrator' },
  ): Letter => {
    const until = formatTime(expiresAt)
    const isByAdministrator = from === 'administrator'
    const whereabouts = isByAdministrator ? [] : formatWhereabouts(from)
    return {
      subject: `Set a new password for ${productName}`,
      preheader: isByAdministrator
        ? `The link works until ${until}. Your password stays the same until you use it.`
        : `The link works until ${until}. If you did not ask for it, ignore this email.`,
      heading: 'Set a new password',
      blocks: [
        paragraph(
          isByAdministrator
            ? `An administrator asks you to choose a new password for your ${productName} account.`
            : `Somebody, hopefully you, asked to set a new password for your ${productName} account.`,
        ),
        paragraph(`The link works once, until ${until}. A new password signs you out on every device.`),
        button('Set a new password', link),
        ...(whereabouts.length > 0 ? [facts(whereabouts)] : []),
        note(
          isByAdministrator
            ? 'Your password stays the same until you use the link. No administrator can see this email or the password you choose. Please do not forward it: the link opens your account.'
            : 'If it was not you, ignore this email: nothing changes. Please do not forward it: the link opens your account.',
        ),
      ],
    }
  },

  set_password: ({ productName }: Brand, { link, expiresAt }: LinkDetails): Letter => ({
    subject: `Choose a password for ${productName}`,
    preheader: `Your account is active. The link works until ${formatTime(expiresAt)}.`,
    heading: 'Choose your password',
    blocks: [
      paragraph(
        `An administrator has activated your ${productName} account. Choose a password, and you can sign in. A password that you entered when you registered does not work.`,
      ),
      paragraph(`The link works once, until ${formatTime(expiresAt)}.`),
      button('Choose a password', link),
      note('If you never registered, ignore this email: nobody can sign in to an account without a password.'),
    ],
  }),

  password_changed: (brand: Brand, { at, from }: IncidentDetails): Letter => ({
    subject: `Your ${brand.productName} password was changed`,
    preheader: 'If it was you, there is nothing to do.',
    heading: 'Your password was changed',
    blocks: [
      paragraph(
        `Your ${brand.productName} account has a new password, and other devices were signed out. If it was you, there is nothing to do.`,
      ),
      facts([['When', formatTime(at)], ...formatWhereabouts(from)]),
      note(
        'If it was not you, somebody else may be using your account. Set a new password now: that signs everybody else out.',
        newPassword(brand),
      ),
    ],
  }),

  session_reuse: (brand: Brand, { at, from }: IncidentDetails): Letter => ({
    subject: `We ended a session of your ${brand.productName} account`,
    preheader: 'Somebody may have copied its key.',
    heading: 'We ended one of your sessions',
    blocks: [
      paragraph(
        `An old key of one of your ${brand.productName} sessions was used after it had been replaced. Either one of your devices kept an old copy, or somebody copied the key.`,
      ),
      paragraph('To be safe, we ended that session. Please sign in again there. Your other devices stay signed in.'),
      facts([['When', formatTime(at)], ...formatWhereabouts(from)]),
      note(
        'If you do not recognize this, set a new password: that signs everybody out, on every device.',
        newPassword(brand),
      ),
    ],
  }),

  sign_in_attempts: (brand: Brand, { at, from }: IncidentDetails): Letter => ({
    subject: `Wrong passwords for your ${brand.productName} account`,
    preheader: 'Somebody tried several in a row. Nobody got in.',
    heading: 'Somebody tried wrong passwords',
    blocks: [
      paragraph(
        `Somebody tried several wrong passwords in a row for your ${brand.productName} account. Nobody got in, and every further try now has to wait.`,
      ),
      facts([['Last try', formatTime(at)], ...formatWhereabouts(from)]),
      note(
        'If it was you, set a new password: that also ends the wait. If it was not, do so if you use this password anywhere else.',
        newPassword(brand),
      ),
    ],
  }),

  email_change_notice: ({ productName }: Brand, { link, expiresAt, from }: UndoDetails): Letter => ({
    subject: `Somebody wants to change the address of your ${productName} account`,
    preheader: 'If it was you, there is nothing to do here.',
    heading: 'Another address for your account?',
    blocks: [
      paragraph(
        `Somebody who is signed in to your ${productName} account wants to give it another email address. If it was you, there is nothing to do here: confirm the new address by the email there.`,
      ),
      facts(formatWhereabouts(from)),
      note(`If it was not you, stop it. ${undone} The link works until ${formatTime(expiresAt)}.`),
      button('Stop this', link),
    ],
  }),

  email_changed: ({ productName }: Brand, { undo, from }: { undo: LinkDetails | null; from: Whereabouts }): Letter => ({
    subject: `Your ${productName} account has a new address`,
    preheader: undo ? 'If it was you, there is nothing to do.' : 'From now on it is this one.',
    heading: 'The address was changed',
    blocks: [
      paragraph(
        undo
          ? `Your ${productName} account has another email address now. You sign in with that one, and emails go there.`
          : `This is the address of your ${productName} account now. You sign in with it, and emails come here.`,
      ),
      facts(formatWhereabouts(from)),
      ...(undo
        ? [
            note(`If it was not you, undo it. ${undone} The link works until ${formatTime(undo.expiresAt)}.`),
            button('Undo this', undo.link),
          ]
        : []),
    ],
  }),

  email_reverted: ({ productName }: Brand, { at, from }: IncidentDetails): Letter => ({
    subject: `A change of address at ${productName} was undone`,
    preheader: 'Everybody was signed out, and the password is gone.',
    heading: 'The change was undone',
    blocks: [
      paragraph(
        `Somebody with access to the old mailbox of a ${productName} account undid the change of its address. The account has that address again.`,
      ),
      paragraph('Everybody was signed out, and the password is gone. A link for a new one is in that mailbox.'),
      facts([['When', formatTime(at)], ...formatWhereabouts(from)]),
    ],
  }),

  export_made: (brand: Brand, { at, from }: IncidentDetails): Letter => ({
    subject: `The data of your ${brand.productName} account was downloaded`,
    preheader: 'If it was you, there is nothing to do.',
    heading: 'Your data was downloaded',
    blocks: [
      paragraph(`Somebody who is signed in downloaded everything that ${brand.productName} knows about your account.`),
      facts([['When', formatTime(at)], ...formatWhereabouts(from)]),
      note(
        'If it was you, there is nothing to do. If it was not, set a new password now: that signs everybody out.',
        newPassword(brand),
      ),
    ],
  }),

  new_sign_in: (brand: Brand, { at, from }: IncidentDetails): Letter => ({
    subject: `New sign-in to your ${brand.productName} account`,
    preheader: 'From a device and a place we had not seen before.',
    heading: 'New sign-in to your account',
    blocks: [
      paragraph(
        `Somebody signed in to your ${brand.productName} account from a device and a place we had not seen before.`,
      ),
      facts([['When', formatTime(at)], ...formatWhereabouts(from)]),
      note(
        'If it was you, there is nothing to do. If it was not, set a new password now: that signs everybody out, on every device.',
        newPassword(brand),
      ),
    ],
  }),
}
