package main

import (
	"context"
	"fmt"
	"os"

	"assay/sovereign"
)

func main() {
	s, err := sovereign.Open(context.Background(), os.Args[1], sovereign.Options{})
	fmt.Println(s.Path(), err, sovereign.NativeStamp())
}
