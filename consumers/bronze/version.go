package bronze

// Version is that of what decoding makes of a frame. It is raised by whoever changes that, so that tables made before the
// change can be told from those that the program would make now.
const Version = 11
