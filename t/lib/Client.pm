package Client;

# An HTTP/1.x client that shows what is on the wire: every read with its time,
# the framing, and how the connection ended.

use strict;
use warnings;

use Errno qw(EAGAIN EWOULDBLOCK EINPROGRESS);
use IO::Socket::INET;
use IO::Select;
use JSON::PP ();
use Socket qw(IPPROTO_TCP TCP_NODELAY SOL_SOCKET SO_LINGER SO_RCVBUF);
use Time::HiRes ();

sub now { return Time::HiRes::clock_gettime(Time::HiRes::CLOCK_MONOTONIC()) }

# port; timeout: seconds for a whole answer; receive_buffer: bytes.
sub new {
    my ($class, %args) = @_;
    return bless { timeout => 60, host => '127.0.0.1', %args }, $class;
}

sub connect {
    my ($self) = @_;
    my $socket = IO::Socket::INET->new(
        PeerAddr => $self->{host}, PeerPort => $self->{port},
        Proto => 'tcp', Timeout => 5)
        or die "connect to $self->{port}: $!\n";
    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
    setsockopt $socket, SOL_SOCKET, SO_RCVBUF, $self->{receive_buffer}
        if $self->{receive_buffer};
    $socket->blocking(0);
    $self->{socket} = $socket;
    return $self;
}

# Writes bytes as they are.
sub write {
    my ($self, $bytes) = @_;
    $self->connect unless $self->{socket};
    my $until = now() + $self->{timeout};
    my $at = 0;
    local $SIG{PIPE} = 'IGNORE';
    while ($at < length $bytes) {
        my $n = syswrite $self->{socket}, $bytes, 262144, $at;
        if (defined $n) { $at += $n; next }
        return 0 unless $!{EAGAIN} || $!{EWOULDBLOCK};
        return 0 if now() > $until;
        IO::Select->new($self->{socket})->can_write(0.5);
        # The answer may come before the whole request is out.
        return 0 if IO::Select->new($self->{socket})->can_read(0);
    }
    return 1;
}

# Sends a request; headers: a hash or a list of pairs.
sub send {
    my ($self, $method, $path, $body, %options) = @_;
    my $version = $options{version} // '1.1';
    my @headers = ref $options{headers} eq 'HASH'
        ? map { [$_, $options{headers}{$_}] } sort keys %{ $options{headers} }
        : @{ $options{headers} // [] };
    my %has = map { lc $_->[0] => 1 } @headers;
    unshift @headers, ['Host', $options{host} // 'gateway.test']
        unless $has{host};
    if (defined $body) {
        push @headers, ['Content-Type', 'application/json']
            unless $has{'content-type'};
        push @headers, ['Content-Length', length $body]
            unless $has{'content-length'} || $has{'transfer-encoding'};
    }
    my $text = "$method $path HTTP/$version\r\n"
        . join('', map { "$_->[0]: $_->[1]\r\n" } @headers) . "\r\n"
        . ($body // '');
    $self->{method} = $method;
    $self->{reply} = undef;
    $self->{sent} = now();
    $self->write($text);
    return $self;
}

# The answer so far; read($seconds) waits at most that long for more bytes.
sub read {
    my ($self, $seconds) = @_;
    my $reply = $self->{reply} //= {
        raw => $self->{left} // '', reads => [], begin => $self->{sent},
        closed => 0, complete => 0, body => '', at => 0, no_body =>
            ($self->{method} // '') eq 'HEAD',
    };
    delete $self->{left};
    $self->parse($reply);
    return $reply if $reply->{complete} || $reply->{closed};
    return $reply unless IO::Select->new($self->{socket})->can_read($seconds);
    my $n = sysread $self->{socket}, my $bytes, $self->{chunk} // 65536;
    if (!defined $n) {
        return $reply if $!{EAGAIN} || $!{EWOULDBLOCK};
        $reply->{closed} = 1;
        $reply->{reset} = 1;
    } elsif ($n == 0) {
        $reply->{closed} = 1;
    } else {
        push @{ $reply->{reads} }, [now(), $bytes];
        $reply->{raw} .= $bytes;
    }
    $self->parse($reply);
    return $reply;
}

# Undoes the framing as far as the bytes go.
sub parse {
    my ($self, $reply) = @_;
    if (!defined $reply->{status}) {
        my $end = index $reply->{raw}, "\r\n\r\n";
        return if $end < 0;
        my ($first, @lines) = split /\r\n/, substr $reply->{raw}, 0, $end;
        return unless $first =~ m{^(HTTP/\S+) (\d{3})};
        ($reply->{version}, $reply->{status}) = ($1, $2);
        $reply->{headers} = [map { /^([^:]+):\s*(.*)$/ ? [$1, $2] : () } @lines];
        $reply->{at} = $end + 4;
        if ($reply->{status} == 100) {
            $reply->{raw} = substr $reply->{raw}, $reply->{at};
            delete $reply->{status};
            return $self->parse($reply);
        }
    }
    return if $reply->{complete} || !defined $reply->{status};
    my $length = header($reply, 'Content-Length');
    my $coding = header($reply, 'Transfer-Encoding') // '';
    my $done = sub {
        $reply->{complete} = 1;
        $self->{left} = substr $reply->{raw}, $reply->{at};
    };
    return $done->() if $reply->{no_body} || $reply->{status} == 204
        || $reply->{status} == 304;
    if ($coding =~ /chunked/i) {
        while (1) {
            my $end = index $reply->{raw}, "\r\n", $reply->{at};
            last if $end < 0;
            # Not a match on what was read: that copies all of it.
            my $line = substr $reply->{raw}, $reply->{at}, $end - $reply->{at};
            last unless $line =~ /^([0-9a-fA-F]+)[^\r\n]*\z/;
            my ($size, $begin) = (hex $1, $end + 2);
            last if length $reply->{raw} < $begin + $size + 2;
            $reply->{body} .= substr $reply->{raw}, $begin, $size;
            $reply->{at} = $begin + $size + 2;
            return $done->() if $size == 0;
        }
        return;
    }
    $reply->{body} .= substr $reply->{raw}, $reply->{at};
    $reply->{at} = length $reply->{raw};
    if (defined $length) {
        $done->() if length $reply->{body} >= $length;
    } elsif ($reply->{closed} && !$reply->{reset}) {
        $reply->{complete} = 1;
    }
}

# Reads until the answer is complete, the connection ends, or time is up.
sub finish {
    my ($self) = @_;
    return $self->wait(sub { 0 });
}

# Reads until the condition on the reply holds, likewise.
sub wait {
    my ($self, $condition, $seconds) = @_;
    my $until = now() + ($seconds // $self->{timeout});
    while (1) {
        my $left = $until - now();
        my $reply = $self->read($left > 0 ? ($left < 1 ? $left : 1) : 0);
        return $reply if $reply->{complete} || $condition->($reply);
        if ($reply->{closed}) {
            $self->parse($reply);
            return $reply;
        }
        if (now() > $until) {
            $reply->{timeout} = 1;
            return $reply;
        }
    }
}

sub request {
    my ($self, $method, $path, $body, %options) = @_;
    my $reply = $self->send($method, $path, $body, %options)->finish;
    $self->close if $reply->{closed};
    return $reply;
}

sub get { my $s = shift; my $p = shift; return $s->request('GET', $p, undef, @_) }
sub post { my $s = shift; return $s->request('POST', @_) }

sub close {
    my ($self) = @_;
    close $self->{socket} if $self->{socket};
    delete @$self{qw(socket left)};
}

sub reset {
    my ($self) = @_;
    setsockopt $self->{socket}, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0);
    $self->close;
}

# Runs many clients at once until all are complete, closed or late.
sub finish_all {
    my ($seconds, @clients) = @_;
    my $until = now() + $seconds;
    my %left = map { fileno($_->{socket}) => $_ } @clients;
    my $select = IO::Select->new(map { $_->{socket} } @clients);
    while (%left && now() < $until) {
        for my $socket ($select->can_read(0.2)) {
            my $number = fileno $socket;
            my $reply = $left{$number}->read(0);
            next unless $reply->{complete} || $reply->{closed};
            $select->remove($socket);
            delete $left{$number};
        }
    }
    return map { $_->{reply} } @clients;
}

# Functions of a reply.

sub header {
    my ($reply, $name) = @_;
    my @found = map { $_->[1] } grep { lc $_->[0] eq lc $name }
        @{ $reply->{headers} // [] };
    return wantarray ? @found : $found[0];
}

sub json {
    my ($reply) = @_;
    return eval { JSON::PP->new->utf8->decode($reply->{body}) };
}

# The payloads of an event stream: decoded JSON, or the text when it is none.
sub events {
    my ($reply) = @_;
    my @out;
    for my $event (split /\r?\n\r?\n/, $reply->{body}) {
        my @data = $event =~ /^data:[ ]?(.*?)\r?$/mg;
        next unless @data;
        my $text = join "\n", @data;
        my $value = eval { JSON::PP->new->utf8->decode($text) };
        push @out, $value // $text;
    }
    return @out;
}

# The text of a chat answer, plain or streamed.
sub text {
    my ($reply) = @_;
    if ((header($reply, 'Content-Type') // '') =~ /event-stream/) {
        return join '', map { $_->{choices}[0]{delta}{content} // '' }
            grep { ref eq 'HASH' && ref $_->{choices} eq 'ARRAY'
                && @{ $_->{choices} } } events($reply);
    }
    my $body = json($reply) or return undef;
    return $body->{choices}[0]{message}{content};
}

1;
