package logline

import "testing"

var request = []byte("GET /some/page/of/the/site.html?with=a&query=b HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: x\r\n\r\n")

func BenchmarkAppendFile(b *testing.B) {
	dst := make([]byte, 0, DatagramMax)
	b.ReportAllocs()
	for b.Loop() {
		AppendFile(dst, v4, 1700000000, "10.0.0.1", request)
	}
}

func BenchmarkAppendNet(b *testing.B) {
	dst := make([]byte, 0, DatagramMax)
	b.ReportAllocs()
	for b.Loop() {
		AppendNet(dst, v4, "10.0.0.1", request)
	}
}

func BenchmarkParseFile(b *testing.B) {
	line := AppendFile(nil, v4, 1700000000, "10.0.0.1", request)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseFile(line); err != nil {
			b.Fatal(err)
		}
	}
}
