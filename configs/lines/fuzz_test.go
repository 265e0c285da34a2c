package lines

import "testing"

// Whatever the library accepts, every path has a line; all else comes to an end.
func FuzzOf(f *testing.F) {
	f.Add("a.b = [1,\n{c='''x'''}]")
	f.Add("dram.size = 3\n[[link]]\nlanes=1\n[[link]]")
	f.Add("[dram]\nsize=\"\"\"\n\"\"\"\"\"")
	f.Add("[[a.b]]\n[[a.b.c]]\nx = { y = [[], [{}]] }")
	f.Fuzz(func(t *testing.T, text string) {
		checkLines(t, text)
		Of(text)
	})
}
