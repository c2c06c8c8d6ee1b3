import type { Words } from './en.ts'

export const de: Words = {
  views: { profile: 'Profil', security: 'Sicherheit', activity: 'Aktivität' },
  kinds: { passkey: 'Passkey', totp: 'Authenticator-App', recovery_code: 'Wiederherstellungscode' },
  enrol:
    'Ihr Konto braucht einen zweiten Faktor. Fügen Sie einen Passkey oder eine Authenticator-App hinzu, um fortzufahren.',
  enrolCode: 'Dazu brauchen Sie auch einen Code, den wir Ihnen per E-Mail schicken.',
  email: {
    title: 'E-Mail-Adresse',
    hint: 'Mit dieser Adresse melden Sie sich an. An sie schicken wir auch unsere E-Mails.',
    address: 'Neue E-Mail-Adresse',
    submit: 'Adresse ändern',
    busy: 'Wird gesendet …',
    sent: (email) =>
      `Wir haben einen Link an ${email} geschickt. Öffnen Sie ihn in diesem Browser. Erst dann ändert sich Ihre Adresse.`,
  },
  data: {
    title: 'Ihre Daten',
    hint: 'Eine Datei (JSON) mit allem, was über Sie gespeichert ist. Sie können sie einmal am Tag herunterladen.',
    submit: 'Meine Daten herunterladen',
    busy: 'Wird vorbereitet …',
    file: 'meine-daten.json',
    again: 'Sie können Ihre Daten nur einmal am Tag herunterladen. Bitte versuchen Sie es morgen noch einmal.',
  },
  passkeys: {
    title: 'Passkeys',
    hint: 'Melden Sie sich mit Fingerabdruck, Gesicht oder der PIN Ihres Geräts an.',
    none: 'Sie haben noch keinen Passkey.',
    unsupported: 'Dieser Browser kann keine Passkeys erstellen.',
    add: 'Passkey hinzufügen …',
    addTitle: 'Passkey hinzufügen',
    next: 'Ihr Gerät bittet Sie dann um eine Bestätigung.',
    name: 'Name (optional)',
    nameHint: 'Damit Sie ihn später erkennen, zum Beispiel „Handy“.',
    newName: 'Name',
    nameMissing: 'Geben Sie einen Namen ein.',
    submit: 'Weiter',
    busy: 'Warten auf Ihr Gerät …',
    added: 'Der Passkey wurde hinzugefügt.',
    save: 'Speichern',
    rename: 'Umbenennen …',
    renameOf: (name) => `${name} umbenennen …`,
    renamed: 'Der Passkey wurde umbenannt.',
    remove: 'Entfernen …',
    removeOf: (name) => `${name} entfernen …`,
    removeTitle: (name) => `${name} entfernen?`,
    removeWarning: 'Sie können sich damit nicht mehr anmelden. Löschen Sie ihn auch auf Ihrem Gerät.',
    removeSubmit: 'Passkey entfernen',
    removed: 'Der Passkey wurde entfernt.',
    since: (time) => `hinzugefügt ${time}`,
    used: (time) => `zuletzt verwendet ${time}`,
    unused: 'noch nie verwendet',
    synced: 'synchronisiert',
  },
  totp: {
    title: 'Authenticator-App',
    hint: 'Eine App auf Ihrem Handy zeigt alle 30 Sekunden einen neuen Code.',
    isOn: 'Aktiv',
    since: (time) => `eingerichtet ${time}`,
    add: 'Einrichten …',
    replace: 'Ersetzen …',
    setUpTitle: 'Authenticator-App einrichten',
    scan: 'Scannen Sie dieses Bild mit der App oder tippen Sie den Schlüssel ein. Geben Sie dann den Code ein, den die App zeigt.',
    qr: 'QR-Code mit dem Schlüssel',
    key: 'Schlüssel',
    copy: 'Schlüssel kopieren',
    submit: 'Bestätigen',
    busy: 'Wird geprüft …',
    added: 'Die Authenticator-App ist eingerichtet.',
    remove: 'Entfernen …',
    removeOf: 'Authenticator-App entfernen …',
    removeTitle: 'Authenticator-App entfernen?',
    removeWarning: 'Die Codes der App werden nicht mehr angenommen.',
    removeSubmit: 'App entfernen',
    removed: 'Die Authenticator-App wurde entfernt.',
  },
  recovery: {
    // With a place to break it: at 320 pixels it is longer than a line.
    title: 'Wiederherstellungs\u00ADcodes',
    hint: 'Falls Sie Ihren Passkey oder Ihre App verloren haben. Jeder Code gilt einmal.',
    left: (count) =>
      count === 0
        ? 'Sie haben keinen Code mehr.'
        : count === 1
          ? 'Sie haben noch einen Code.'
          : `Sie haben noch ${count} Codes.`,
    // An ellipsis alone would be the second line.
    renew: 'Neue Codes erstellen\u00A0…',
    renewTitle: 'Neue Codes erstellen?',
    renewWarning: 'Ihre bisherigen Codes gelten dann nicht mehr.',
    renewSubmit: 'Neue Codes erstellen',
    shownTitle: 'Codes jetzt sichern',
    shown:
      'Sie sehen diese Wiederherstellungscodes nur jetzt. Bewahren Sie sie dort auf, wo Sie sie auch ohne Ihr Handy finden.',
  },
  mailCode: {
    label: 'Code aus der E-Mail',
    send: 'Code anfordern',
    sending: 'Wird gesendet …',
    sent: 'Wir haben einen Code an Ihre E-Mail-Adresse geschickt. Er gilt 10 Minuten.',
    missing: 'Geben Sie den Code aus der E-Mail ein.',
  },
  everywhere: {
    open: 'Überall abmelden …',
    title: 'Überall abmelden?',
    warning:
      'Sie werden auf allen Geräten abgemeldet, auch auf diesem. Geräte, denen Sie vertrauen, fragen wieder nach dem zweiten Faktor.',
    submit: 'Überall abmelden',
  },
  noPassword: 'Kein Passwort, oder vergessen?',
  setPassword: 'Per E-Mail festlegen',
  deletion: { without: 'Hat Ihr Konto kein Passwort, lassen Sie das Feld leer.' },
}
