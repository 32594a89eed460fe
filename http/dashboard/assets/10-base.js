// cairn's page works without this script. What is here makes it quicker to the hand.
'use strict';

/** One object holds what the files share. */
const cairn = {};
