/** Text of others without what a terminal would obey: it comes from data, definitions and logs. Lines stay lines. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '�');
}
