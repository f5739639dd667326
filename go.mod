module pen

go 1.26
