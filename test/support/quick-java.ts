/**
 * For the many small Javas of tests: most end before what the second compiler made would pay, and it takes the cores from
 * the others.
 */
export const QUICK_JAVA = { JAVA_TOOL_OPTIONS: '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC' };
